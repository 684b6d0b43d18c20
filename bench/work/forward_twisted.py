"""Twisted's port forwarder, in a process of its own: `forward_twisted.py PORT`. It answers as forwarder.ts does."""
import sys
import time

from twisted.internet import reactor, stdio
from twisted.protocols import basic, portforward


class Answers(basic.LineOnlyReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        if line == b"cpu":
            self.sendLine(b"%d" % (time.process_time() * 1e6))
        else:
            with open("/proc/self/statm") as statm:
                self.sendLine(b"%d" % (int(statm.read().split()[1]) * 4096))

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


port = reactor.listenTCP(0, portforward.ProxyFactory("127.0.0.1", int(sys.argv[1])), interface="127.0.0.1")
answers = Answers()
stdio.StandardIO(answers)
answers.sendLine(b"%d" % port.getHost().port)
reactor.run()
