"""A peer of Twisted's, for twisted.wire.ts: `twisted_secure_peer.py server|client tls|unix PLACE`.

The server says back each line in capitals and closes after "bye"; the client says "hello" and "bye". Both print what
they hear and how the connection ended.
"""
import os
import sys

from twisted.internet import endpoints, protocol, reactor, ssl
from twisted.protocols.basic import LineReceiver

side, kind, place = sys.argv[1:]
pems = os.path.join(os.path.dirname(os.path.abspath(__file__)), "certificates")


def pem(name):
    with open(os.path.join(pems, name)) as file:
        return file.read()


def say(*words):
    print(*words, flush=True)


class Peer(LineReceiver):
    def connectionMade(self):
        if side == "client":
            self.sendLine(b"hello")

    def lineReceived(self, line):
        say("line", line.decode())
        if side == "server":
            self.sendLine(line.upper())
            if line == b"bye":
                self.transport.loseConnection()
        elif line == b"HELLO":
            self.sendLine(b"bye")

    def connectionLost(self, reason):
        say("lost", reason.type.__name__)
        if side == "client":
            reactor.stop()


def listening(port):
    say("listening", getattr(port.getHost(), "port", place))


factory = protocol.Factory.forProtocol(Peer)
if side == "server":
    if kind == "tls":
        identity = ssl.PrivateCertificate.loadPEM(pem("server.key") + pem("server.pem"))
        endpoint = endpoints.SSL4ServerEndpoint(reactor, 0, identity.options(), interface="127.0.0.1")
    else:
        endpoint = endpoints.UNIXServerEndpoint(reactor, place)
    endpoint.listen(factory).addCallback(listening)
else:
    if kind == "tls":
        options = ssl.optionsForClientTLS("localhost", trustRoot=ssl.Certificate.loadPEM(pem("ca.pem")))
        tcp = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(place))
        endpoint = endpoints.wrapClientTLS(options, tcp)
    else:
        endpoint = endpoints.UNIXClientEndpoint(reactor, place)
    endpoint.connect(factory)
reactor.run()
