/** Defects of what stands on connections: Deferreds, attempts, policies, bridges, AMP, poems. */
import type { Mutant } from './mutant.ts'

const deferred = 'framework/deferred/deferred.ts'
const dial = 'framework/core/dial-host.ts'
const attempts = 'framework/core/attempts.ts'
const cache = 'poetry/proxy/poem-cache.ts'

export const above: readonly Mutant[] = [
  {
    breaks: 'a chain goes on before what it waits for is there',
    file: deferred,
    from: 'if (inner !== undefined) this.#waitFor(inner)\n  }',
    to: '}',
  },
  {
    breaks: 'cancelling a chain does not reach what it waits for',
    file: deferred,
    from: 'const target = this.#innermost()',
    to: 'const target: this = this',
  },
  {
    breaks: 'a name server that does not answer is waited for, for ever',
    file: dial,
    from: '.addTimeout(timeout, reactor)\n',
    to: '\n',
  },
  {
    breaks: 'attempts that lost the race stay open',
    file: attempts,
    from: 'for (const attempt of this.#running) attempt.cancel()',
    to: '',
  },
  {
    breaks: 'a connection that was refused stays open',
    file: 'framework/core/attach.ts',
    from: 'connection.abortConnection(failure.value instanceof Error ? failure.value : undefined)',
    to: '',
  },
  {
    breaks: 'waits grow without a limit',
    file: 'framework/tasks/backoff.ts',
    from: 'return Math.min(maxDelay, initialDelay * factor ** (failures - 1))',
    to: 'return Math.max(0, initialDelay * factor ** (failures - 1))',
  },
  {
    breaks: 'a thousand clients come back at the same moment',
    file: 'framework/tasks/backoff.ts',
    from: '(1 - part * chance.random())',
    to: '(1 - part * 0.5)',
  },
  {
    breaks: 'one connection more than the limit is let in',
    file: 'framework/policies/limits.ts',
    from: 'if (others >= this.#most) throw',
    to: 'if (others > this.#most) throw',
  },
  {
    breaks: 'connections that have ended count against the limit',
    file: 'framework/policies/limits.ts',
    from: '(this.#open.get(this.#key) ?? 1) - 1',
    to: '(this.#open.get(this.#key) ?? 1)',
  },
  {
    breaks: 'a connection on which only we write counts as idle',
    file: 'framework/policies/timeouts.ts',
    from: 'override write(data: Data): void {\n    this.#lastActivity = this.#clock.now()',
    to: 'override write(data: Data): void {',
  },
  {
    breaks: 'an idle connection stays',
    file: 'framework/policies/timeouts.ts',
    from: '} else if (!this.#overdue) {',
    to: '} else if (this.#ms > 0) {',
  },
  {
    breaks: 'what comes right behind a PROXY header is lost',
    file: 'framework/policies/proxied-layer.ts',
    from: 'this.#rest = parser.rest',
    to: 'this.#rest = parser.rest.subarray(parser.rest.length)',
  },
  {
    breaks: 'what a throttle sends in part has its beginning twice',
    file: 'framework/policies/write-throttle.ts',
    from: 'else this.#pieces[this.#gone] = first.subarray(most)',
    to: 'else this.#pieces[this.#gone] = first.subarray(0, first.length - most)',
  },
  {
    breaks: 'an answer goes to the question that was asked last',
    file: 'poetry/transform/transform-client.ts',
    from: 'this.#waiting.shift()?.callback(answer)',
    to: 'this.#waiting.pop()?.callback(answer)',
  },
  {
    breaks: 'answers leave in the order in which they are ready',
    file: 'poetry/transform/in-order.ts',
    from: 'const [slot] = this.#slots',
    to: "this.#slots.sort((one, other) => Number('answer' in other) - Number('answer' in one))\n        const [slot] = this.#slots",
  },
  {
    breaks: 'questions that nobody can hear the answers to go on being worked at',
    file: 'poetry/transform/in-order.ts',
    from: 'for (const { work } of this.#slots.splice(0)) work.cancel()',
    to: '',
  },
  {
    breaks: 'half a poem is taken for a whole one',
    file: 'poetry/poetry-client.ts',
    from: 'reason instanceof ConnectionDone\n',
    to: 'reason instanceof Error\n',
  },
  {
    breaks: 'a poet goes on speaking when his client is gone',
    file: 'poetry/poetry-protocol.ts',
    from: 'stopProducing(): void {\n    this.#over = true\n    this.#wait()',
    to: 'stopProducing(): void {\n    this.#over = true',
  },
  {
    breaks: 'a fetch that failed is waited for by all who ask later',
    file: cache,
    from: 'this.#forget(fetch)\n    for (const asked',
    to: 'if (this.#kept !== undefined) this.#forget(fetch)\n    for (const asked',
  },
  {
    breaks: 'a fetch goes on although nobody waits for it',
    file: cache,
    from: 'fetch.work?.cancel()',
    to: '',
  },
  {
    breaks: 'a proxy that has no poem says that the poem is empty',
    file: 'poetry/proxy/proxy-protocol.ts',
    from: '({ value }) => this.transport.abortConnection(value instanceof Error ? value : new Error(String(value))),',
    to: '() => this.transport.loseConnection(),',
  },
  {
    breaks: 'calls that were not answered wait for ever when the connection ends',
    file: 'framework/protocols/amp/calls.ts',
    from: 'if (!deferred.called) deferred.errback(reason)',
    to: 'void [deferred, reason]',
  },
  {
    breaks: 'an answer goes to the call that was made last',
    file: 'framework/protocols/amp/calls.ts',
    from: 'const number = nameAsNumber(bytes, start, end)',
    to: 'const number = [...(this.#open?.keys() ?? [])].at(-1) ?? nameAsNumber(bytes, start, end)',
  },
  {
    breaks: 'a box that came in two chunks is read on at the wrong place',
    file: 'framework/protocols/amp/box-decoder.ts',
    from: 'input.scanned = at\n',
    to: 'input.scanned = at + 1\n',
  },
  {
    breaks: 'a port that drains does not tell its connections',
    file: 'framework/core/listening-port.ts',
    from: 'for (const connection of this.#connections) connection.askToStop()',
    to: '',
  },
  {
    breaks: 'a forwarded connection that was cut is a clean end on the other side',
    file: 'framework/protocols/port-forward.ts',
    from: 'other.transport.abortConnection(reason)',
    to: 'other.transport.loseConnection()',
  },
  {
    breaks: 'a forwarder does not hold back the side that is faster',
    file: 'framework/protocols/port-forward.ts',
    from: 'this.#held = true\n    this.transport.pauseProducing()',
    to: 'this.#held = true',
  },
  {
    breaks: 'a forwarder takes what comes, whoever it is for',
    file: 'framework/protocols/port-forward.ts',
    from: 'other.transport.registerProducer(this, true)\n    this.transport.registerProducer(other, true)\n',
    to: '',
  },
  {
    breaks: 'who unsubscribes leaves an attempt behind',
    file: 'framework/rx/connect.ts',
    from: 'if (!made) attempt?.cancel()',
    to: '',
  },
  {
    breaks: 'what was sent before the connection was made is lost',
    file: 'framework/rx/connect.ts',
    from: 'for (const message of this.#outbox.splice(0)) this.next(message)',
    to: 'this.#outbox = []',
  },
  {
    breaks: 'who unsubscribes has no time for a farewell',
    file: 'framework/rx/conversation.ts',
    from: 'this.#announce()\n      this.#release()\n      this.#transport.loseConnection()',
    to: 'this.#release()\n      this.#transport.loseConnection()',
  },
]
