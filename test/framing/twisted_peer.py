"""A peer with one of Twisted's own receivers: it says back every message that it receives, and writes down how each
connection ended.

    twisted_peer.py listen KIND [DELIMITER [MAX_LENGTH]]   prints the port that it listens on
    twisted_peer.py connect KIND PORT                      sends nothing first, and ends with its connection
"""
import sys

from twisted.internet import endpoints, protocol, reactor
from twisted.protocols import basic


class Lines(basic.LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line)


class Strings:
    def stringReceived(self, string):
        self.sendString(string)


class Netstrings(Strings, basic.NetstringReceiver):
    pass


class Int8(Strings, basic.Int8StringReceiver):
    pass


class Int16(Strings, basic.Int16StringReceiver):
    pass


class Int32(Strings, basic.Int32StringReceiver):
    pass


KINDS = {"lines": Lines, "netstrings": Netstrings, "int8": Int8, "int16": Int16, "int32": Int32}


class Leaver(protocol.Factory):
    def buildProtocol(self, addr):
        made = protocol.Factory.buildProtocol(self, addr)
        lost = made.connectionLost

        def connectionLost(reason):
            lost(reason)
            reactor.stop()

        made.connectionLost = connectionLost
        return made


def main(how, kind, port="0"):
    KINDS[kind].MAX_LENGTH = 100_000
    if how == "listen":
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        listening = endpoint.listen(protocol.Factory.forProtocol(KINDS[kind]))
        listening.addCallback(lambda port: print(f"listening on {port.getHost().port}", flush=True))
    else:
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
        endpoint.connect(Leaver.forProtocol(KINDS[kind]))
    reactor.run()


main(*sys.argv[1:])
