"""Twisted's echo of lines, in a process of its own. It says its port, and then, when it is asked, its CPU time in microseconds."""
import time

from twisted.internet import protocol, reactor, stdio
from twisted.protocols import basic


class EchoLines(basic.LineReceiver):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def lineReceived(self, line):
        self.sendLine(line)


class Answers(basic.LineOnlyReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        self.sendLine(b"%d" % (time.process_time() * 1e6))

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


port = reactor.listenTCP(0, protocol.Factory.forProtocol(EchoLines), interface="127.0.0.1", backlog=4096)
answers = Answers()
stdio.StandardIO(answers)
answers.sendLine(b"%d" % port.getHost().port)
reactor.run()
