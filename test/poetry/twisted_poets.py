"""The other half of the poetry example, written with Twisted as krondo's series has it, and mended where its programs had
mistakes (a poem that was cut off is a failure here, bytes are bytes).

    twisted_poets.py serve-poem FILE            prints the port that it listens on
    twisted_poets.py serve-transform            prints the port that it listens on
    twisted_poets.py get PORT                   prints the poem
    twisted_poets.py transform PORT NAME POEM   prints the transformed poem, or "failed" and how the connection ended
"""
import sys

from twisted.internet import defer, endpoints, error, protocol, task
from twisted.protocols import basic


class PoetryProtocol(protocol.Protocol):
    def connectionMade(self):
        self.transport.write(self.factory.poem)
        self.transport.loseConnection()


class PoetryClientProtocol(protocol.Protocol):
    poem = b""

    def __init__(self):
        self.finished = defer.Deferred()

    def dataReceived(self, data):
        self.poem += data

    def connectionLost(self, reason):
        if reason.check(error.ConnectionDone):
            self.finished.callback(self.poem)
        else:
            self.finished.errback(reason)


class TransformProtocol(basic.NetstringReceiver):
    def stringReceived(self, request):
        name, poem = request.split(b".", 1)
        if name == b"cummingsify":
            self.sendString(poem.lower())
        self.transport.loseConnection()


class TransformClientProtocol(basic.NetstringReceiver):
    def __init__(self, name, poem):
        self.request = name + b"." + poem
        self.finished = defer.Deferred()

    def connectionMade(self):
        self.sendString(self.request)

    def stringReceived(self, poem):
        finished, self.finished = self.finished, None
        finished.callback(poem)
        self.transport.loseConnection()

    def connectionLost(self, reason):
        if self.finished is not None:
            self.finished.errback(reason)


@defer.inlineCallbacks
def serve(reactor, factory):
    port = yield endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    print(port.getHost().port, flush=True)
    yield defer.Deferred()


def serve_poem(reactor, path):
    factory = protocol.Factory.forProtocol(PoetryProtocol)
    with open(path, "rb") as file:
        factory.poem = file.read()
    return serve(reactor, factory)


def serve_transform(reactor):
    return serve(reactor, protocol.Factory.forProtocol(TransformProtocol))


@defer.inlineCallbacks
def say(reactor, port, client):
    endpoint = endpoints.clientFromString(reactor, f"tcp:127.0.0.1:{port}")
    connected = yield endpoints.connectProtocol(endpoint, client)
    try:
        poem = yield connected.finished
        sys.stdout.buffer.write(poem)
    except (error.ConnectionDone, error.ConnectionLost) as reason:
        sys.stdout.write(f"failed {type(reason).__name__}\n")


def get(reactor, port):
    return say(reactor, port, PoetryClientProtocol())


def transform(reactor, port, name, poem):
    return say(reactor, port, TransformClientProtocol(name.encode(), poem.encode()))


COMMANDS = {"serve-poem": serve_poem, "serve-transform": serve_transform, "get": get, "transform": transform}

task.react(COMMANDS[sys.argv[1]], sys.argv[2:])
