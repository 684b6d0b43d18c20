/**
 * ClientService against a world that does everything at the worst moment: whatever it is told in whatever order, there
 * are never two connections, none after a stop, and everybody who waits hears once.
 */
import {
  ClientService,
  ConnectionRefusedError,
  Deferred,
  Factory,
  Failure,
  flushUnhandled,
  IPv4Address,
  type Report,
  setReporter,
  TCPClientEndpoint,
} from 'couplet'
import { AccumulatingProtocol } from 'couplet/testing'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { ScriptedConnection, ScriptedReactor } from '../scripted-reactor.ts'

const where = new IPv4Address('TCP', '10.0.0.9', 80)

/** What may happen; a number picks one of several. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('start', 'stop', 'wait', 'restart in stop') },
  { weight: 4, arbitrary: fc.constantFrom('accept', 'refuse', 'prepared', 'not prepared') },
  { weight: 3, arbitrary: fc.constantFrom('hang up', 'break', 'close ourselves') },
  { weight: 1, arbitrary: fc.constantFrom('give up', 'wait for two', 'stop in wait', 'accept and stop') },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
)

interface Waiting {
  readonly deferred: Deferred<AccumulatingProtocol>
  heard: number
}

class World {
  readonly reactor = new ScriptedReactor()
  readonly connections: ScriptedConnection[] = []
  readonly preparing: Deferred<void>[] = []
  readonly waiting: Waiting[] = []
  readonly stops: { fired: boolean }[] = []
  readonly service: ClientService<AccumulatingProtocol>
  /** Whether the last that the service was told was to start. */
  wanted = false
  /** What its protocol does first of all. */
  onConnect: (() => void) | undefined

  constructor(prepares: boolean) {
    const factory = Factory.forProtocol(() => {
      this.onConnect?.()
      return new AccumulatingProtocol()
    })
    const endpoint = new TCPClientEndpoint(this.reactor, where.host, where.port)
    const prepareConnection = (): Deferred<void> => {
      const prepared = new Deferred<void>()
      this.preparing.push(prepared)
      return prepared
    }
    this.service = new ClientService(this.reactor, endpoint, factory, prepares ? { prepareConnection } : {})
  }

  get live(): ScriptedConnection[] {
    return this.connections.filter(({ disconnected }) => !disconnected)
  }

  get pending() {
    return this.reactor.dials.filter(({ cancelled, deferred }) => !cancelled && !deferred.called)
  }

  start(): void {
    this.wanted = true
    this.service.startService().addErrback(() => undefined)
  }

  stop(): void {
    this.wanted = false
    const stop = { fired: false }
    this.stops.push(stop)
    this.service.stopService().addBoth((result) => {
      expect(result).not.toBeInstanceOf(Failure)
      stop.fired = true
      // Unless somebody wanted it again meanwhile, nothing is left.
      if (!this.wanted) expect([this.live, this.pending]).toEqual([[], []])
    })
  }

  wait(failAfterFailures = Infinity, then = (): void => undefined): void {
    const deferred = this.service.whenConnected({ failAfterFailures })
    const one: Waiting = { deferred, heard: 0 }
    this.waiting.push(one)
    deferred.addBoth((result) => {
      one.heard++
      if (result instanceof Failure) return
      expect([this.wanted, this.live.length, this.live[0]?.disconnecting]).toEqual([true, 1, false])
      then()
    })
  }

  does(what: string | number): void {
    const [connection] = this.live
    const [dial] = this.pending
    if (typeof what === 'number') this.reactor.advance(what)
    else if (what === 'start') this.start()
    else if (what === 'stop') this.stop()
    else if (what === 'restart in stop') {
      this.stop()
      this.start()
    } else if (what === 'wait') this.wait()
    else if (what === 'wait for two') this.wait(2)
    else if (what === 'stop in wait') this.wait(Infinity, () => this.stop())
    else if (what === 'give up') this.waiting.at(-1)?.deferred.cancel()
    else if (what === 'refuse') dial?.fail(new ConnectionRefusedError(where))
    else if (what === 'accept and stop' || what === 'accept') {
      if (dial === undefined) return
      this.onConnect = what === 'accept' ? undefined : () => this.stop()
      const made = new ScriptedConnection(this.reactor, where)
      this.connections.push(made)
      dial.answer(made)
      this.onConnect = undefined
    } else if (what === 'prepared' || what === 'not prepared') {
      const prepared = this.preparing.pop()
      if (what === 'prepared') prepared?.callback()
      else prepared?.errback(new Error('wrong password'))
    } else if (what === 'hang up') connection?.hangUp()
    else if (what === 'break') connection?.break(new Error('broken cable'))
    else connection?.loseConnection()
  }

  check(): void {
    expect(this.live.length + this.pending.length).toBeLessThanOrEqual(1)
    if (this.service.state === 'stopped') expect([this.live.length, this.pending.length]).toEqual([0, 0])
    if (this.service.state === 'running' && this.live.length === 0 && this.pending.length === 0) {
      // It is not stuck: it waits for the end of a connection, or for its time to try again.
      expect(this.reactor.timers).toBeGreaterThan(0)
    }
    for (const { heard } of this.waiting) expect(heard).toBeLessThanOrEqual(1)
  }
}

it('never two connections, none after a stop, and everybody is told once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, prepares) => {
      const world = new World(prepares)
      const reports: Report[] = []
      const restore = setReporter((report) => reports.push(report))
      try {
        for (const what of steps) {
          world.does(what)
          world.check()
        }
        // Peers go away in the end; whatever was wanted last is so then.
        for (const connection of world.live) connection.hangUp()
        world.reactor.advance(30_000)
        world.check()
        expect(world.service.state).toBe(world.wanted ? 'running' : 'stopped')
        world.stop()
        for (const connection of world.live) connection.hangUp()
        world.reactor.advance(30_000)
        // A wait from before the very first start is the only one that a stop does not end.
        if (steps.some((what) => /start/.test(String(what)))) world.start()
        world.stop()
        world.reactor.advance(30_000)
        expect([world.service.state, world.live.length, world.pending.length, world.reactor.timers]).toEqual([
          'stopped',
          0,
          0,
          0,
        ])
        if (steps.some((what) => /start/.test(String(what))))
          expect(world.waiting.every(({ heard }) => heard === 1)).toBe(true)
        expect(world.stops.every(({ fired }) => fired)).toBe(true)
        // What was expected inside of a callback, and was not so.
        expect(flushUnhandled()).toEqual([])
        const known = ['wrong password', 'No result within 30000 ms']
        expect(reports.filter(({ error }) => !known.includes((error as Error).message))).toEqual([])
      } finally {
        restore()
      }
    }),
    { numRuns: 2000 },
  )
})
