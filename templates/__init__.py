"""The Jinja2 templates, one for each generated file."""
