#!/bin/sh
# The server at a socket that somebody else has opened: systemd's own program for trying that out listens, and becomes
# the server when the first client comes.
#
#     sh examples/scale-out/systemd.sh 127.0.0.1:8000
exec systemd-socket-activate --listen="${1:-127.0.0.1:8000}" --fdname=lines \
  node -C @couplet/source --import tsx examples/scale-out/server.ts systemd:name=lines
