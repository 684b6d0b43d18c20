"""Twisted's AMP in a process of its own.

    amp_twisted.py server   says its port, and then, when it is asked, its CPU time in microseconds
    amp_twisted.py caller   obeys orders as amp-caller.ts does
"""
import json
import sys
import time

from twisted.internet import defer, endpoints, protocol, reactor, stdio
from twisted.protocols import amp, basic


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Adding(amp.AMP):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    @Sum.responder
    def sum(self, a, b):
        return {"total": a + b}


class Answers(basic.LineOnlyReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        self.sendLine(b"%d" % (time.process_time() * 1e6))

    def connectionLost(self, reason):
        if reactor.running:
            reactor.stop()


class Obeys(Answers):
    def connectionMade(self):
        self.peers = {}

    @defer.inlineCallbacks
    def lineReceived(self, line):
        order = json.loads(line)
        if line not in self.peers:
            endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", order["port"])
            connecting = [endpoints.connectProtocol(endpoint, Adding()) for _ in range(order["connections"])]
            self.peers[line] = yield defer.gatherResults(connecting)
        cpu, start = time.process_time(), time.perf_counter()
        end = start + order["time"] / 1000
        calls = yield defer.gatherResults([self.run(peer, order["window"], end) for peer in self.peers[line]])
        done = {
            "calls": sum(calls),
            "time": (time.perf_counter() - start) * 1000,
            "cpu": (time.process_time() - cpu) * 1e6,
        }
        self.sendLine(json.dumps(done).encode())

    @defer.inlineCallbacks
    def run(self, peer, window, end):
        calls = 0
        while calls == 0 or time.perf_counter() < end:
            yield defer.gatherResults([peer.callRemote(Sum, a=13, b=81) for _ in range(window)])
            calls += window
        return calls


if sys.argv[1] == "server":
    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Adding), interface="127.0.0.1")
    answers = Answers()
    stdio.StandardIO(answers)
    answers.sendLine(b"%d" % port.getHost().port)
else:
    stdio.StandardIO(Obeys())
reactor.run()
