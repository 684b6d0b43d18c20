/** The transform server and the caching proxy as command lines, and what get-poetry does with them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { flushUnhandled, type TraceEvent } from 'couplet'
import { builtInPoems, storyOf } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { experimentCommand } from '../../src/poetry/bin/commands/experiment.ts'
import { getPoetryCommand } from '../../src/poetry/bin/commands/get-poetry.ts'
import { poetryProxy } from '../../src/poetry/bin/commands/poetry-proxy.ts'
import { poetryTransform } from '../../src/poetry/bin/commands/poetry-transform.ts'
import { slowpoetry } from '../../src/poetry/bin/commands/slowpoetry.ts'
import { machine, serveOnce, start } from './in-process.ts'

let folder = ''
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'traces-'))))
afterEach(() => {
  rmSync(folder, { recursive: true })
  expect(flushUnhandled()).toEqual([])
})

/** A machine on which three poets, a transform server and a proxy run. */
function servers() {
  const { run, ...rest } = machine()
  const poets = run(slowpoetry, [])
  const transform = run(poetryTransform, ['--delay', '500ms'])
  rest.sim.advance()
  const proxy = run(poetryProxy, ['10000', '10001', '10002'])
  rest.sim.advance()
  return { ...rest, run, poets, transform, proxy }
}

/** What is in a trace file: the line about it, and the events. */
function traceIn(path: string): { header: Record<string, unknown>; events: TraceEvent[] } {
  const [header, ...events] = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as never)
  return { header: header!, events }
}

const whole = builtInPoems.map(({ text }) => text)

describe('the servers', () => {
  it('say where they listen and what for', () => {
    const { transform, proxy } = servers()
    expect(transform.stdout.lines).toEqual([
      'listening on 127.0.0.1:11000: cummingsify, shout, backwards, number, acrostic',
      'transforms poems; Ctrl-C ends it',
    ])
    expect(proxy.stdout.lines).toEqual([
      'listening on 127.0.0.1:12000: 127.0.0.1:10000',
      'listening on 127.0.0.1:12001: 127.0.0.1:10001',
      'listening on 127.0.0.1:12002: 127.0.0.1:10002',
      'each poem is got once; Ctrl-C ends it',
    ])
  })

  it('listen at endpoints, if you say which', () => {
    const { run, sim } = machine()
    const server = run(slowpoetry, ['--listen', 'tcp:7000:interface=127.0.0.1', '--delay', '0'])
    sim.advance()
    expect(server.stdout.lines[0]).toBe('listening on 127.0.0.1:7000: Eternity, by William Blake')
    const client = run(getPoetryCommand, ['tcp:localhost:7000'])
    sim.advance(100)
    expect([client.code, client.stdout.text]).toEqual([0, whole[0]])
  })
})

describe('get-poetry --transform', () => {
  it('prints each poem transformed', () => {
    const { run, sim } = servers()
    const client = run(getPoetryCommand, ['--transform', '11000:acrostic', '12000', '10001'])
    sim.advance(5000)
    expect([client.code, client.stdout.text]).toEqual([0, 'HDBL\nICQQ\n'])
    expect(client.stderr.lines.at(-1)).toMatch(/^2 poems, 10 bytes, concurrent, in 4\.50 s$/)
  })

  it('says whose poem could not be transformed and why, prints nothing of it, and ends with 65', () => {
    const { run, sim } = servers()
    const client = run(getPoetryCommand, ['--transform', '11000:whisper', '10000'])
    sim.advance(5000)
    expect([client.code, client.stdout.text]).toEqual([65, ''])
    expect(client.stderr.lines).toContain(
      'get-poetry: 127.0.0.1:10000: there is no transform "whisper" (there are: cummingsify, shout, backwards, number, acrostic)',
    )
  })

  it('says that the transform server is not there', () => {
    const { run, sim } = machine()
    run(slowpoetry, [])
    sim.advance()
    const client = run(getPoetryCommand, ['--transform', '9:shout', '10000'])
    sim.advance(5000)
    expect([client.code, client.stdout.text]).toEqual([69, ''])
    expect(client.stderr.lines.at(-2)).toContain('127.0.0.1:9: connection refused')
  })
})

describe('get-poetry --timeout', () => {
  it.each([
    ['while the poem is being said', ['10000'], '3s'],
    ['while the proxy waits for it', ['12000'], '3s'],
    ['while it is being transformed', ['--transform', '11000:shout', '10000'], '4.2'],
  ])('gives up %s, says so, and leaves nobody at work', (_, argv, time) => {
    const { run, sim } = servers()
    const idle = sim.pending
    const client = run(getPoetryCommand, [...argv, '--timeout', time])
    sim.advance(10_000)
    expect([client.code, client.stdout.text]).toEqual([75, ''])
    expect(client.stderr.lines.at(-2)).toMatch(/^get-poetry: 127\.0\.0\.1:1.000: not done within \d(\.\d)? s$/)
    expect(sim.pending).toBe(idle)
  })

  it('gives up a server that accepts and says nothing, and keeps what others say in time', () => {
    const { reactor, run, sim } = servers()
    serveOnce(reactor, 9000, () => undefined)
    sim.advance()
    const client = run(getPoetryCommand, ['--timeout', '5s', '9000', '10000'])
    sim.advance(10_000)
    expect([client.code, client.stdout.text]).toEqual([75, whole[0]])
  })
})

describe('poetry-proxy', () => {
  it('gets each poem once, and gives it to everybody at once afterwards', () => {
    const { run, sim } = servers()
    const first = run(getPoetryCommand, ['12000', '12001', '12002'])
    sim.advance(4000)
    expect([first.code, first.stdout.text]).toEqual([0, whole.join('')])
    const second = run(getPoetryCommand, ['12000', '12001', '12002'])
    sim.advance(10)
    expect([second.code, second.stdout.text]).toEqual([0, whole.join('')])
  })

  it('says on its own stderr why a poem could not be had, and its client hears that it was cut off', () => {
    const { run, sim } = machine()
    const proxy = run(poetryProxy, ['9'])
    sim.advance()
    const client = run(getPoetryCommand, ['12000'])
    sim.advance(100)
    expect(proxy.stderr.text).toBe('poetry-proxy: 127.0.0.1:9: connection refused (is the server running?)\n')
    expect([client.code, client.stdout.text]).toEqual([74, ''])
  })

  it('is silent about a poem that nobody wanted to the end', () => {
    const { run, sim, proxy } = servers()
    const client = run(getPoetryCommand, ['--timeout', '1.5', '12000'])
    sim.advance(5000)
    expect([client.code, proxy.stderr.text]).toEqual([75, ''])
  })

  it('gives up a server that takes too long', () => {
    const { run, sim } = machine()
    run(slowpoetry, [])
    sim.advance()
    const proxy = run(poetryProxy, ['--timeout', '2s', '10000'])
    sim.advance()
    const client = run(getPoetryCommand, ['12000'])
    sim.advance(2000)
    expect(client.code).toBe(74)
    expect(proxy.stderr.text).toBe('poetry-proxy: 127.0.0.1:10000: not done within 2 s\n')
  })

  it('gets a poem again when it is too old', () => {
    const { run, sim } = machine()
    run(slowpoetry, ['--delay', '100ms'])
    sim.advance()
    run(poetryProxy, ['--max-age', '60s', '10000'])
    sim.advance()
    const tookWithin = (ms: number): boolean => {
      const client = run(getPoetryCommand, ['12000'])
      sim.advance(ms)
      return client.code === 0
    }
    expect(tookWithin(400)).toBe(true)
    expect(tookWithin(1)).toBe(true)
    sim.advance(60_000)
    expect(tookWithin(399)).toBe(false)
  })

  it('ends in good order on SIGTERM: who waits gets the poem', () => {
    const sim = new Sim()
    const poets = sim.host('poets').reactor
    start(slowpoetry, ['--iface', '10.0.0.1'], poets)
    const host = sim.host('proxy').reactor
    const proxy = start(poetryProxy, ['poets:10000', '--iface', '10.0.0.2'], host)
    sim.advance()
    const client = start(getPoetryCommand, ['proxy:12000'], sim.host('client').reactor)
    sim.advance(1500)
    host.stop('SIGTERM')
    sim.advance(5000)
    expect([proxy.code, client.code, client.stdout.text]).toEqual([0, 0, whole[0]])
  })
})

describe('what happened', () => {
  it('is drawn by get-poetry --timeline in place of the poems, in 80 columns and without a color', () => {
    const { run, sim } = servers()
    const client = run(getPoetryCommand, ['--timeline', '--transform', '11000:shout', '10000', '12001', '9'])
    sim.advance(5000)
    expect(client.code).toBe(69)
    expect(client.stdout.text).toMatchInlineSnapshot(`
      "                   0              2               4 s
                         ├──────────────┼───────────────┼───╴
        127.0.0.1:10000  ───────●───────●───────●───────●═══◆  4.50 s     128 bytes
        127.0.0.1:12001  ───────────────────────────────●═══◆  4.50 s     107 bytes
        127.0.0.1:9      ✗                                     0.00 s  ✗    0 bytes

        at once          222222222222222222222222222222222222

      ─ waits for the poet   ● something is read   ═ is transformed   ◆ comes back
      ✗ fails
      "
    `)
    expect(Math.max(...client.stdout.lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(client.stdout.text).not.toContain('\x1b')
    // What the README shows.
    expect(readFileSync('README.md', 'utf8')).toContain(client.stdout.text)
  })

  it('is told by get-poetry --log', () => {
    const { run, sim } = servers()
    const client = run(getPoetryCommand, ['--log', '--mode', 'sequential', '10000', '12000'])
    sim.advance(9000)
    expect(client.code).toBe(0)
    expect(client.stdout.lines).toContain('           … 1.00 s of waiting for 127.0.0.1:10000')
    expect(client.stdout.lines.at(-1)).toBe('   8.00 s  127.0.0.1:12000 hangs up: the poem is whole, 128 bytes')
  })

  it('is drawn by get-poetry --chain as the two rails of each Deferred', () => {
    const { run, sim } = servers()
    const client = run(getPoetryCommand, ['--chain', '10000', '9'])
    sim.advance(5000)
    const [first = '', second = ''] = client.stdout.text.split('\nthe poem from ')
    expect(first).toMatch(/^the poem from 127\.0\.0\.1:10000\n\n +values +failures\n/)
    expect(first).toMatch(/\n +\[read\] +┊ +waits for d\d+\n +┊ +┊ +… 4\.00 s later\n +● +┊ +d\d+ gave <128 bytes>/)
    expect(second).toMatch(/^127\.0\.0\.1:9\n[^]*\n +\(whole\) +\[notWhole\] /)
    expect(Math.max(...client.stdout.lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('is given by get-poetry --json as events, from which the same picture can be made', () => {
    const { run, sim } = servers()
    const client = run(getPoetryCommand, ['--json', '10000', '10001'])
    sim.advance(5000)
    const [header, ...events] = client.stdout.lines.map((line) => JSON.parse(line) as TraceEvent)
    expect(header).toMatchObject({ trace: 1, title: 'get-poetry --json 10000 10001', dropped: 0 })
    expect(storyOf(events).tasks.map(({ name, pieces }) => [name, pieces.length])).toEqual([
      ['127.0.0.1:10000', 4],
      ['127.0.0.1:10001', 4],
    ])
  })

  it.each([
    ['slowpoetry', slowpoetry, []],
    ['poetry-transform', poetryTransform, []],
    ['poetry-proxy', poetryProxy, ['10000']],
    ['get-poetry', getPoetryCommand, ['10000']],
    ['npm start', experimentCommand, ['--delay', '0']],
  ])('is written down by %s --trace FILE, while it happens', (name, command, argv) => {
    const { reactor, run, sim } = machine()
    const path = join(folder, 'trace.jsonl')
    const running = run(command, [...argv, '--trace', path])
    sim.advance(100)
    const before = traceIn(path)
    expect(before.header).toMatchObject({ trace: 1, title: expect.stringContaining(`${name} `) as string, detail: 2 })
    expect(before.events.length).toBeGreaterThan(3)
    reactor.stop('SIGTERM')
    sim.advance(1000)
    const { events } = traceIn(path)
    expect(running.code).toBeDefined()
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    // It listens no more.
    reactor.callLater(1, () => undefined)
    expect(traceIn(path).events.length).toBe(events.length)
  })

  it('of npm start has both runs in it, every line that was read', () => {
    const { run, sim } = machine()
    const path = join(folder, 'trace.jsonl')
    const running = run(experimentCommand, ['--trace', path])
    sim.advance(20_000)
    expect(running.code).toBe(0)
    const { tasks } = storyOf(traceIn(path).events)
    expect(tasks.map(({ name, asked, pieces }) => [name, asked.ms, pieces.map(({ ms }) => ms)])).toEqual([
      ['poem 1', 0, [1000, 2000, 3000, 4000]],
      ['poem 2', 4000, [5000, 6000, 7000, 8000]],
      ['poem 3', 8000, [9000, 10_000, 11_000, 12_000]],
      ['poem 1', 12_000, [13_000, 14_000, 15_000, 16_000]],
      ['poem 2', 12_000, [13_000, 14_000, 15_000, 16_000]],
      ['poem 3', 12_000, [13_000, 14_000, 15_000, 16_000]],
    ])
  })

  it('cannot be written where no file can be, and that is said before anything else', () => {
    const { run, sim } = machine()
    const { code, stdout, stderr } = run(slowpoetry, ['--trace', join(folder, 'none', 'trace.jsonl')])
    expect([code, stdout.text]).toEqual([73, ''])
    expect(stderr.text).toMatch(/^slowpoetry: .*trace\.jsonl: the trace cannot be written there: ENOENT.*\n$/)
    expect(sim.pending).toBe(0)
  })
})
