# SPDX-License-Identifier: Apache-2.0
"""Tools of the live tests: real httpds, real slapds, a directory that lies, and a client that shows all octets."""
