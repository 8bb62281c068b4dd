"""Request targets as clients, servers and attackers write them, byte for byte."""

from __future__ import annotations

LEGAL = [
    "/_matrix/client/v3/rooms/%21abc%3Aexample.com/state/m.room.name/",
    "/_matrix/federation/v1/query/directory?room_alias=%23a%3Ab",
    "/_matrix/client/v3/rooms/!abc:example.com/state/m.room.name/",
    "/_matrix/client/v3/directory/room/%23a%2Fb%3Aexample.com",
    "/_matrix/client/v3/directory/room/%23a%2fb%3aexample.com",
    "/_matrix/client/v3/user/a%2F%2Fb",
    "/_matrix/client//v3/sync",
    "/_matrix//client/v3/rooms//x/",
    "//_matrix/client/versions",
    "/_matrix/client/./versions",
    "/_matrix/client/v3/../versions",
    "/_matrix/client/v3/%2e%2e/versions",
    "/_matrix/client/v3/rooms/..%2F..%2Fx/y",
    "/_matrix/client/v3/rooms/%2E%2E%2Fx",
    "/_matrix/a%25b",
    "/_matrix/a%252Fb",
    "/_matrix/%E2%80%A2/x",
    "/_matrix/%e2%80%a2/x",
    "/_matrix/a+b?x=a+b%20c%2B",
    "/_matrix/a;b=c/d;e",
    "/_matrix/client/v3/profile/@user:example.com/displayname",
    "/_matrix/client/v3/profile/%40user%3Aexample.com/displayname",
    "/_matrix/a*b'()!$&,=~/c",
    "/_matrix/client/versions?",
    "/_matrix/client/versions??a=b?c",
    "/_matrix/x?a=/../b//c&d=%2F",
    "/_matrix/%7Euser/%41%62",
    "/_matrix/a%20b",
    "/_matrix/a%0d%0aX:1",
    "/_matrix/a%5Cb",
    "/_matrix/a%3Fb%23c",
    "/_matrix",
    "/_matrix?a",
    "/_m%61trix/client/versions",
    "/%5Fmatrix/client/versions",
    "/_palpo/client/x",
]
"""Targets that clients and servers may send (RFC 3986), the nasty ones among them."""

ILLEGAL = ["/_matrix/a%00b", "/_matrix/a%", "/_matrix/a%zz", "/_matrix/é", "/_matrix/a|b", '/_matrix/a"b<c>']
ILLEGAL += ["/_matrix/a{b}^`", "/_matrix/a\\b", "/_matrix/[x]", "/_matrix/a#b"]

CLOSED = [
    "/",
    "/metrics",
    "/health",
    "/_matrixfoo",
    "/_MATRIX/client/versions",
    "/_palpo/clientfoo",
    "/_palpo/admin",
    "/_palpo/admin/v1/users",
    "//_palpo//admin/v1",
    "/_palpo/%61dmin/v1",
    "/%5Fpalpo/admin",
    "/_PALPO/admin",
    "/_synapse/admin/v1",
    "/_palpo/mas",
    "/_synapse/mas/x",
    "/_palpo/./admin/x",
    "/_matrix/../_palpo/admin/v1/users",
    "/_matrix/%2e%2e/_palpo/admin",
    "/_matrix/..%2f_palpo/admin",
    "/_palpo/client/../admin/v1",
    "/_palpo/client/..%2Fadmin",
    "/_palpo%2fadmin/x",
    "/_palpo/admin/..%2f..%2f_matrix/x",
    "/_palpo/admin/v1/users/../../../../_matrix",
    "/%5fPalpo/%41dmin/%2e%2e/%2e%2e/_matrix",
    "/health/../_matrix/x",
    "//health%2f..%2f_matrix",
]
"""Targets that lead past the open paths, as a proxy or as the homeserver would read them."""

BROKEN = [
    "/_palpo/admin/%zz",
    "/_palpo/%61dmin/v1/%",
    "/_matrix/%zz/../../_palpo/admin",
    "/_matrix/../_palpo/admin/%zz",
    "/_matrix/%2e%2e/_synapse/admin/%2",
]
"""Closed targets with an escape that is none: what cannot decode them must not take them for something else."""

REGISTRATION = [
    "/_matrix/client/v3/register",
    "/_matrix/client/v3/%72egister",
    "/_matrix//client/v3//register/",
    "/_matrix/client/r0/register?kind=user",
    "/_matrix/client/v3/x/../register",
    "/_matrix/client/v3%2fregister",
]
"""The same path, written in other ways."""
