"""A peer with Twisted's own AMP, for twisted.wire.ts.

    twisted_peer.py listen           prints the port that it listens on, and answers
    twisted_peer.py connect PORT WHAT...  asks our server, prints what came of it in lines, and ends
"""
import decimal
import datetime
import os
import sys

from twisted.internet import defer, endpoints, protocol, reactor, ssl
from twisted.protocols import amp

pems = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "node", "certificates")


def pem(name):
    with open(os.path.join(pems, name)) as file:
        return file.read()


def say(*words):
    print(*words, flush=True)


EVERYTHING = [
    (b"integer", amp.Integer()),
    (b"number", amp.Integer()),
    (b"string", amp.String()),
    (b"unicode", amp.Unicode()),
    (b"boolean", amp.Boolean()),
    (b"float", amp.Float()),
    (b"decimal", amp.Decimal()),
    (b"date", amp.DateTime()),
    (b"integers", amp.ListOf(amp.Integer())),
    (b"nested", amp.ListOf(amp.ListOf(amp.Unicode()))),
    (b"boxes", amp.AmpList([(b"x", amp.Integer()), (b"note", amp.Unicode(optional=True))])),
    (b"left", amp.Boolean(optional=True)),
]


class Everything(amp.Command):
    arguments = EVERYTHING
    response = EVERYTHING


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class OutOfPaper(Exception):
    pass


class Divide(amp.Command):
    arguments = [(b"numerator", amp.Float()), (b"denominator", amp.Float())]
    response = [(b"result", amp.Float())]
    errors = {ZeroDivisionError: b"ZERO_DIVISION"}
    fatalErrors = {OutOfPaper: b"NO_PAPER"}


class Bytes(amp.Command):
    arguments = [(b"string", amp.String())]
    response = [(b"string", amp.String())]


class Say(amp.Command):
    arguments = [(b"text", amp.Unicode())]
    requiresAnswer = False


class Heard(amp.Command):
    response = [(b"text", amp.Unicode())]


class AskBack(amp.Command):
    """Makes us ask with a box of so many keys and bytes, everything counted."""

    arguments = [(b"keys", amp.Integer()), (b"size", amp.Integer())]
    response = [(b"keys", amp.Integer())]


class Unheard(amp.Command):
    pass


def boxOf(keys, size):
    """The keys of a box for callRemoteString: with `_ask` and `_command` so many, and so many bytes."""
    fixed = 2 + (4 + 4 + 1) + (4 + 8 + 4)
    pairs = {"k%04d" % index: b"" for index in range(keys - 2)}
    left = size - fixed - len(pairs) * (4 + 5)
    for name in pairs:
        take = min(left, 65535)
        pairs[name] = b"x" * take
        left -= take
    assert left == 0, left
    return pairs


class Peer(amp.AMP):
    heard = ""

    @Everything.responder
    def everything(self, **values):
        return values

    @Sum.responder
    def sum(self, a, b):
        return {"total": a + b}

    @Divide.responder
    def divide(self, numerator, denominator):
        if numerator == 13.0:
            raise RuntimeError("the password is 12345")
        if numerator == 99.0:
            raise OutOfPaper("empty")
        if denominator == 0.0:
            raise ZeroDivisionError("nothing to divide by")
        return {"result": numerator / denominator}

    @Bytes.responder
    def bytes(self, string):
        return {"string": string}

    @Say.responder
    def say(self, text):
        self.heard += text
        return {}

    @Heard.responder
    def tell(self):
        return {"text": self.heard}

    @AskBack.responder
    def askBack(self, keys, size):
        asked = self.callRemoteString(b"Long", **boxOf(keys, size))
        return asked.addCallback(lambda box: {"keys": int(box[b"keys"])})

    @amp.StartTLS.responder
    def startTLS(self):
        return {"tls_localCertificate": ssl.PrivateCertificate.loadPEM(pem("server.key") + pem("server.pem"))}

    def connectionLost(self, reason):
        super().connectionLost(reason)
        say("lost", reason.type.__name__)


VALUES = [
    dict(
        integer=10**300,
        number=-(2**53) + 1,
        string=bytes(range(256)),
        unicode="schön \U0001f600",
        boolean=True,
        float=0.1,
        decimal=decimal.Decimal("-1.5E+200"),
        date=datetime.datetime(2012, 1, 23, 12, 34, 56, 54321, amp._FixedOffsetTZInfo.fromSignHoursMinutes("-", 1, 23)),
        integers=list(range(-3, 3)),
        nested=[[], ["", "a"], []],
        boxes=[{"x": 1, "note": None}, {"x": 2, "note": "two"}],
        left=False,
    ),
    dict(
        integer=0,
        number=0,
        string=b"",
        unicode="",
        boolean=False,
        float=float("-inf"),
        decimal=decimal.Decimal("Infinity"),
        date=datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, amp.utc),
        integers=[],
        nested=[],
        boxes=[],
        left=None,
    ),
]


@defer.inlineCallbacks
def everything(peer):
    for values in VALUES:
        answer = yield peer.callRemote(Everything, **values)
        say("same", answer == values)


@defer.inlineCallbacks
def failed(deferred):
    try:
        answer = yield deferred
        say("answered", answer)
    except Exception as error:
        say("failed", type(error).__name__, str(error))


@defer.inlineCallbacks
def errors(peer):
    yield failed(peer.callRemote(Divide, numerator=1.0, denominator=0.0))
    yield failed(peer.callRemote(Unheard))
    yield failed(peer.callRemote(Divide, numerator=1.0, denominator=4.0))


def undeclared(peer):
    return failed(peer.callRemote(Divide, numerator=13.0, denominator=1.0))


def fatal(peer):
    return failed(peer.callRemote(Divide, numerator=99.0, denominator=1.0))


@defer.inlineCallbacks
def pipelined(peer, count):
    calls = [peer.callRemote(Sum, a=index, b=1) for index in range(int(count))]
    answers = yield defer.gatherResults(calls)
    say("right", sum(answer["total"] == index + 1 for index, answer in enumerate(answers)))


@defer.inlineCallbacks
def noanswer(peer):
    peer.callRemote(Say, text="hello")
    answer = yield peer.callRemote(Heard)
    say("heard", answer["text"])


def long(peer, keys, size):
    asked = peer.callRemoteString(b"Long", **boxOf(int(keys), int(size)))
    return failed(asked.addCallback(lambda box: int(box[b"keys"])))


@defer.inlineCallbacks
def tls(peer, *authority):
    before = peer.callRemote(Sum, a=1, b=1)
    secured = peer.callRemote(
        amp.StartTLS, tls_verifyAuthorities=[ssl.Certificate.loadPEM(pem((authority or ("ca.pem",))[0]))]
    )
    after = [peer.callRemote(Sum, a=index, b=1) for index in range(100)]
    try:
        yield defer.gatherResults([before, secured, *after], consumeErrors=True)
    except defer.FirstError as error:
        say("failed", error.subFailure.type.__module__, error.subFailure.type.__name__)
    else:
        say("secured", peer.peerCertificate.getSubject().commonName.decode())
        answer = yield peer.callRemote(Sum, a=20, b=22)
        say("total", answer["total"])


def main(how, port="0", what="", *args):
    if how == "listen":
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        listening = endpoint.listen(protocol.Factory.forProtocol(Peer))
        listening.addCallback(lambda port: say("listening on", port.getHost().port))
    else:
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(port))
        connecting = endpoints.connectProtocol(endpoint, Peer())
        connecting.addCallback(globals()[what], *args)
        connecting.addErrback(lambda failure: say("broken", failure.getTraceback()))
        connecting.addBoth(lambda _: reactor.callLater(0, reactor.stop))
    reactor.run()


main(*sys.argv[1:])
