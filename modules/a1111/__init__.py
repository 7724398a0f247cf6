"""The extension API that A1111's extensions expect, as thin facades over the studio.

`host.install(studio)` binds the studio and makes `facades/` part of the package `modules`: from then on
`from modules import shared, scripts` works as extensions write it. Nothing below this room imports it.
"""
