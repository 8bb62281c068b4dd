"""The modules of Apache that a site of ours needs, and how each arrangement loads them."""

from __future__ import annotations

NEEDED = (
    "headers_module",
    "alias_module",
    "proxy_module",
    "proxy_http_module",
    "socache_shmcb_module",
    "ssl_module",
)
"""Without these nothing of ours can be served; what stands in ``<IfModule>`` for them comes alive with them.

mod_rewrite is not among them: with it, rules in the ``.htaccess`` files of other sites would come alive as well.
"""
