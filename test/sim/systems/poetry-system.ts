/**
 * The poetry system on bad networks and under faults: whatever happens, nobody takes half a poem for a
 * whole one, hooks come in order, and when everything is well again everybody gets what they came for.
 */
import {
  clientFromString,
  ClientService,
  deferLater,
  type Deferred,
  equal,
  Factory,
  type Reactor,
  TCPClientEndpoint,
  toBytes,
  withPolicies,
} from 'couplet'
import {
  getPoetryBytes,
  PoemCache,
  PoemCutOff,
  PoetryClientProtocol,
  PoetryFactory,
  PoetryProxyFactory,
  TransformClientProtocol,
  TransformFactory,
  TransformService,
} from 'couplet/poetry'
import { faultKinds, type RandomStream, type Sim, type SimHost, type SimTestOptions, type Stage } from 'couplet/sim'
import { Watch } from './watch.ts'

/** A system, and how it is tried. */
export interface System<Operation> {
  readonly options: SimTestOptions<Operation>
  readonly stage: Stage<Operation>
}

/**
 * A server that is killed, or has no descriptor left, hangs up as one does that has finished, so a protocol in which the
 * end of the connection is the end of the poem cannot tell: everything but that.
 */
export const nothingThatHangsUp = faultKinds.filter((kind) => kind !== 'crash' && kind !== 'descriptors')

const poem = toBytes(Array.from({ length: 40 }, (_, line) => `line ${line} of a poem that nobody knows\n`).join(''))

interface Wish {
  readonly reader: number
  readonly at: number
}

const wishes = (random: RandomStream): Wish[] =>
  Array.from({ length: random.between(1, 6) }, () => ({ reader: random.below(3), at: random.below(20_000) }))

/** Gets a poem as often as it must until it has it, a second after each failure. */
function insist(
  reactor: Reactor,
  get: () => Deferred<Uint8Array>,
  failed: (error: unknown) => void,
): Deferred<Uint8Array> {
  return get().addErrback(({ value }) => {
    failed(value)
    return deferLater(reactor, 1000).addCallback(() => insist(reactor, get, failed))
  })
}

/** Listens, as soon as there is a descriptor for it. */
export function serve(reactor: Reactor, port: number, factory: Factory): void {
  reactor.listenTCP(port, factory).addErrback(() => void reactor.callLater(1000, () => serve(reactor, port, factory)))
}

/** The readers of a world: each wish comes true in the end, and no poem is another one. */
function readers(
  sim: Sim,
  watch: Watch,
  hosts: readonly SimHost[],
  list: readonly Wish[],
  port: string,
  wanted = poem,
): void {
  let open = list.length
  const wrong: string[] = []
  sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
  sim.invariant('every poem is whole', () => wrong[0])
  for (const { reader, at } of list) {
    const { reactor } = hosts[reader % hosts.length]!
    const get = (): Deferred<Uint8Array> => {
      const endpoint = clientFromString(reactor, port)
      const factory = withPolicies(
        Factory.forProtocol(() => new PoetryClientProtocol()),
        watch.client,
      )
      return endpoint.connect(factory).addCallback((protocol) => protocol.whenFinished())
    }
    reactor.callLater(at, () => {
      insist(reactor, get, (error) => {
        if (error instanceof PoemCutOff && error.received > wanted.length) wrong.push('more than a poem')
      }).addCallback((got) => {
        open--
        if (!equal(got, wanted)) wrong.push(`${got.length} bytes of ${wanted.length} were taken for a poem`)
      })
    })
  }
  sim.eventually('everybody has their poem', () => open === 0, 3_600_000)
  sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
}

/** Everybody gets the whole poem from a slow poet. */
export const slowPoet: System<Wish> = {
  options: { seeds: 300, faults: nothingThatHangsUp, operations: wishes },
  stage(sim, list) {
    const watch = new Watch()
    sim
      .host('poet')
      .run((reactor) =>
        reactor.listenTCP(10_000, withPolicies(new PoetryFactory(reactor, poem, { delay: 100 }), watch.server)),
      )
    const hosts = ['one', 'two', 'three'].map((name) => sim.host(name))
    readers(sim, watch, hosts, list, 'tcp:poet:10000')
  },
}

const epic = toBytes(
  Array.from({ length: 6000 }, (_, line) => `line ${line} of a poem without end, and its reader is slow\n`).join(''),
)

/** The same with a poem that no buffer holds, so that the poet has to be paused and resumed. */
export const longWinded: System<Wish> = {
  options: {
    seeds: 100,
    faults: nothingThatHangsUp,
    operations: (random) => wishes(random).slice(0, 2),
    // A byte at a time it would take too long, and find nothing that the others do not. And a link on which nothing moves
    // for longer than the linger (5 s) is given up in the middle of the end, as is meant to be.
    knobs: ({ delivery: _delivery, segmentSize: _segmentSize, latency = 0, bandwidth = 1e6, ...drawn }) => ({
      ...drawn,
      segmentSize: 16_384,
      latency: Math.min(latency, 500),
      bandwidth: Math.max(bandwidth, 50_000),
    }),
  },
  stage(sim, list) {
    const watch = new Watch()
    sim
      .host('poet')
      .run((reactor) =>
        reactor.listenTCP(
          10_000,
          withPolicies(new PoetryFactory(reactor, epic, { delay: 1, numBytes: 8192 }), watch.server),
        ),
      )
    const hosts = ['one', 'two'].map((name) => sim.host(name))
    readers(sim, watch, hosts, list, 'tcp:poet:10000', epic)
  },
}

/** Everybody gets the whole poem through a proxy that keeps it for a while. */
export const proxiedPoet: System<Wish> = {
  options: { seeds: 200, faults: nothingThatHangsUp, operations: wishes },
  stage(sim, list) {
    const watch = new Watch()
    sim
      .host('poet')
      .run((reactor) =>
        reactor.listenTCP(10_000, withPolicies(new PoetryFactory(reactor, poem, { delay: 20 }), watch.server)),
      )
    const proxy = sim.host('proxy')
    let cache: PoemCache | undefined
    proxy.run((reactor) => {
      const upstream = new TCPClientEndpoint(reactor, 'poet', 10_000)
      cache = new PoemCache(reactor, () => getPoetryBytes(upstream), { maxAge: 5000 })
      reactor.listenTCP(10_000, withPolicies(new PoetryProxyFactory(cache), watch.server))
    })
    const hosts = ['one', 'two'].map((name) => sim.host(name))
    readers(sim, watch, hosts, list, 'tcp:proxy:10000')
    sim.invariant('nothing is fetched that nobody waits for', () => {
      const open = proxy.netstat().filter(({ state, remote }) => state === 'open' && remote === '10.0.0.1:10000')
      return open.length > 0 && cache?.waiting === 0 ? open[0]?.local : undefined
    })
  },
}

interface Question {
  readonly at: number
  readonly text: string
}

/** Every question gets its own answer, in order, whoever crashes. */
export const transforms: System<Question> = {
  options: {
    seeds: 300,
    operations: (random) =>
      Array.from({ length: random.between(1, 10) }, (_, index) => ({
        at: random.below(20_000),
        text: `QUESTION ${index} ${'X'.repeat(random.below(200))}`,
      })),
  },
  stage(sim, questions) {
    const watch = new Watch()
    const wrong: string[] = []
    sim.host('server').run((reactor) => {
      const chance = sim.random(`delays of ${reactor.generation}`)
      const slowly = (text: string): Deferred<string> =>
        deferLater(reactor, chance.below(500)).addCallback(() => {
          if (watch.serving === 0) wrong.push(`${text} was worked at when nobody was there any more`)
          return text.toLowerCase()
        })
      const service = new TransformService(new Map([['quietly', slowly]]))
      serve(reactor, 11_000, withPolicies(new TransformFactory(service), watch.server))
    })
    const client = sim.host('client')
    let open = questions.length
    const factory = withPolicies(
      Factory.forProtocol(() => new TransformClientProtocol()),
      watch.client,
    )
    const { reactor } = client
    const service = new ClientService(reactor, new TCPClientEndpoint(reactor, 'server', 11_000), factory)
    if (open > 0) service.startService()
    const ask = (text: string): void => {
      service
        .whenConnected()
        .addCallback((protocol) => protocol.transform('quietly', text))
        .addCallbacks(
          (answer) => {
            open--
            if (answer !== text.toLowerCase()) wrong.push(`the answer to ${text} was ${answer}`)
            if (open === 0) service.stopService()
          },
          () => void reactor.callLater(1000, () => ask(text)),
        )
    }
    for (const { at, text } of questions) reactor.callLater(at, () => ask(text))
    sim.invariant('hooks come in order, and bytes as they were sent', watch.isSilent)
    sim.invariant('every answer is to its question', () => wrong[0])
    sim.invariant('a client has one attempt or connection, and no two', () => {
      const own = client.netstat().filter(({ state }) => state === 'connecting' || state === 'open')
      return own.length > 1 ? `it has ${own.length}` : undefined
    })
    sim.eventually('all questions are answered', () => open === 0, 3_600_000)
    sim.eventually('nobody is connected', () => sim.connections === 0, 3_600_000)
  },
}
