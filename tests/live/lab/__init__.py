# SPDX-License-Identifier: Apache-2.0
"""What the live tests stand on: real httpds, real slapds, a directory that lies, and a client that hides nothing."""
