"""Twisted's own peers for datagrams and for standard input and output.

udp-echo: answers each datagram in capitals; says its port.
udp-ask PORT: connected to PORT, asks, says what came back, and says if it was refused.
stdio COMMAND...: runs a program and talks lines with it, as a parent does.
"""

import os
import sys

from twisted.internet import protocol, reactor


def say(*words):
    print(*words, flush=True)


class Echo(protocol.DatagramProtocol):
    def datagramReceived(self, datagram, addr):
        self.transport.write(datagram.upper(), addr)


class Ask(protocol.DatagramProtocol):
    def startProtocol(self):
        self.transport.connect("127.0.0.1", int(sys.argv[2]))
        self.transport.write(b"")
        self.transport.write(b"hello")

    def datagramReceived(self, datagram, addr):
        say("got", repr(datagram.decode()))


class Parent(protocol.ProcessProtocol):
    said = b""

    def connectionMade(self):
        self.transport.write(b"hello\r\n")

    def outReceived(self, data):
        self.said += data
        if self.said == b"HELLO\r\n":
            self.transport.write(b"bye\r\n")
            self.transport.closeStdin()

    def errReceived(self, data):
        sys.stderr.buffer.write(data)

    def processEnded(self, reason):
        say("said", repr(self.said.decode()), "exit", reason.value.exitCode)
        reactor.stop()


if sys.argv[1] == "udp-echo":
    say("port", reactor.listenUDP(0, Echo(), interface="127.0.0.1").getHost().port)
elif sys.argv[1] == "udp-ask":
    reactor.listenUDP(0, Ask(), interface="127.0.0.1")
elif sys.argv[1] == "stdio":
    reactor.spawnProcess(Parent(), sys.argv[2], sys.argv[2:], env=os.environ)
reactor.run()
