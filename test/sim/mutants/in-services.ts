/** Defects of services: how they start, stop, and come back. */
import type { Mutant } from './mutant.ts'

const client = 'framework/services/client-service.ts'
const endpoint = 'framework/services/endpoint-service.ts'
const multi = 'framework/services/multi-service.ts'
const service = 'framework/services/service.ts'

export const inServices: readonly Mutant[] = [
  {
    breaks: 'a client that stops goes on connecting',
    file: client,
    from: "if (before.is === 'connecting') this.#attempt?.cancel()",
    to: "if (before.is === 'connecting') void 0",
  },
  {
    breaks: 'a client that stops comes back when its wait is over',
    file: client,
    from: "else if (before.is === 'waiting' && before.retry.active()) before.retry.cancel()",
    to: '',
  },
  {
    breaks: 'the waits of a client begin anew after each connection, however short',
    file: client,
    from: 'if (this.#clock.now() - activity.since >= goodWhile) this.#failures = 0',
    to: 'this.#failures = 0',
  },
  {
    breaks: 'the waits of a client are never short again',
    file: client,
    from: 'if (this.#clock.now() - activity.since >= goodWhile) this.#failures = 0',
    to: '',
  },
  {
    breaks: 'a client does not come back once its connection is lost',
    file: client,
    from: 'if (this.#open.size === 0) this.#lost(reason)',
    to: '',
  },
  {
    breaks: 'of those who wait for a connection only the first is told',
    file: 'framework/services/waiting-list.ts',
    from: 'while (this.#waiting.length > 0 && lasts())',
    to: 'if (this.#waiting.length > 0 && lasts())',
  },
  {
    breaks: 'a client that leaves does not tell its connection',
    file: client,
    from: 'for (const connection of this.#open) connection.askToStop()',
    to: '',
  },
  {
    breaks: 'a client that leaves waits for its connection as long as that takes',
    file: client,
    from: 'for (const connection of this.#open) connection.abortConnection()\n',
    to: '',
  },
  {
    breaks: 'a client that has left keeps the timer of its deadline',
    file: client,
    from: 'if (deadline.active()) deadline.cancel()\n',
    to: '',
  },
  {
    breaks: 'a server that was stopped keeps its port',
    file: endpoint,
    from: 'return port?.stopListening(this.#options)',
    to: 'return undefined',
  },
  {
    breaks: 'a server that stops does not wait for its connections',
    file: endpoint,
    from: 'return port?.stopListening(this.#options)',
    to: 'return port?.stopListening()',
  },
  {
    breaks: 'a timer goes on when its service was stopped',
    file: 'framework/services/timer-service.ts',
    from: 'if (this.#loop.running) this.#loop.stop()\n    return this.#ended',
    to: '',
  },
  {
    breaks: 'services stop in the order in which they were started',
    file: multi,
    from: 'for (const service of [...this.#services].reverse()) {',
    to: 'for (const service of [...this.#services]) {',
  },
  {
    breaks: 'services stop all at once',
    file: multi,
    from: 'yield* service.stopService()',
    to: 'service.stopService()',
  },
  {
    breaks: 'a start that is given up goes on',
    file: service,
    from: "else if (before === 'starting') this.#start?.cancel()",
    to: '',
  },
  {
    breaks: 'who is started while it stops stays away',
    file: service,
    from: "if (this.#state === 'stopped' && this.#startsAwaited.length > 0) this.#beginStart()",
    to: '',
  },
]
