import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectProtocol, flushUnhandled, Protocol, TCPClientEndpoint, toBytes } from 'couplet'
import { builtInPoems } from 'couplet/poetry'
import { Sim } from 'couplet/sim'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { experimentCommand } from '../../src/poetry/bin/commands/experiment.ts'
import { getPoetryCommand } from '../../src/poetry/bin/commands/get-poetry.ts'
import { poetryProxy } from '../../src/poetry/bin/commands/poetry-proxy.ts'
import { poetryTransform } from '../../src/poetry/bin/commands/poetry-transform.ts'
import { slowpoetry } from '../../src/poetry/bin/commands/slowpoetry.ts'
import { CapturedOutput, machine, serveOnce, start } from './in-process.ts'

const commands = {
  slowpoetry,
  'get-poetry': getPoetryCommand,
  'poetry-transform': poetryTransform,
  'poetry-proxy': poetryProxy,
  'npm start': experimentCommand,
}
const whole = builtInPoems.map(({ text }) => text).join('')

let folder = ''
const file = (name: string): string => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'poems-'))
  writeFileSync(file('short.txt'), 'one\ntwo\n')
  writeFileSync(file('binary.txt'), new Uint8Array([0, 0xff, 0x1b, 0x5b, 0x32, 0x4a, 0x0d, 0x0a, 0xed]))
  writeFileSync(file('empty.txt'), '')
  writeFileSync(file('long.txt'), 'another line\n'.repeat(200_000))
  writeFileSync(file('huge.txt'), '')
  truncateSync(file('huge.txt'), 16 * 1024 * 1024 + 1)
  symlinkSync(file('circle.txt'), file('circle.txt'))
})

afterAll(() => rmSync(folder, { recursive: true }))

// Whatever happens, somebody looks after every failure.
afterEach(() => expect(flushUnhandled()).toEqual([]))

describe('a command line that was written wrongly', () => {
  it.each<[keyof typeof commands, string, string]>([
    ['slowpoetry', '--port 65536', '--port takes a whole number from 0 to 65535, not "65536"'],
    ['slowpoetry', '--port abc', '--port takes a whole number from 0 to 65535, not "abc"'],
    ['slowpoetry', '--port -1', '--port takes a whole number from 0 to 65535, not "-1"'],
    ['slowpoetry', '--port 65534', '3 poems from port 65534 on would need ports above 65535'],
    ['slowpoetry', '--delay -1', '--delay takes a time, as in 1s, 250ms or 0.5 (seconds), not "-1"'],
    ['slowpoetry', '--delay nan', '--delay takes a time, as in 1s, 250ms or 0.5 (seconds), not "nan"'],
    ['slowpoetry', '--delay', "option '--delay <value>' argument missing"],
    ['slowpoetry', '--num-bytes 0', '--num-bytes takes a whole number from 1 to 65536, not "0"'],
    ['slowpoetry', '--num-bytes 1e3', '--num-bytes takes a whole number from 1 to 65536, not "1e3"'],
    ['slowpoetry', '--num-bytes 5 --lines', '--lines and --num-bytes exclude each other'],
    ['slowpoetry', '--loud', "unknown option '--loud'"],
    ['get-poetry', '', 'which poems? Give the [HOST:]PORT of one server or more'],
    ['get-poetry', 'abc', '"abc" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH'],
    ['get-poetry', '0', '"0" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH'],
    [
      'get-poetry',
      '10000 65536',
      '"65536" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH',
    ],
    ['get-poetry', 'host:', '"host:" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH'],
    [
      'get-poetry',
      '::1:10000',
      '"::1:10000" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH',
    ],
    [
      'get-poetry',
      '\x1b[2J:1',
      '"\\x1b[2J:1" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH',
    ],
    ['get-poetry', '--mode fast 10000', '--mode takes sequential or concurrent or rx, not "fast"'],
    ['get-poetry', '--mode __proto__ 10000', '--mode takes sequential or concurrent or rx, not "__proto__"'],
    ['get-poetry', '--port 10000', "unknown option '--port'"],
    ['get-poetry', '--timeline --json 10000', '--timeline and --json exclude each other'],
    ['get-poetry', '--transform shout 10000', '--transform takes SERVER:NAME, as in 11000:cummingsify, not "shout"'],
    [
      'get-poetry',
      '--transform a:b:shout 10000',
      '"a:b" is not [HOST:]PORT with a port from 1 to 65535, nor an endpoint like unix:PATH',
    ],
    ['get-poetry', '--timeout soon 10000', '--timeout takes a time, as in 1s, 250ms or 0.5 (seconds), not "soon"'],
    ['slowpoetry', '--listen tcp:1 --port 1', '--listen and --port or --iface exclude each other'],
    ['poetry-transform', 'poem.txt', 'it takes no arguments, not "poem.txt"'],
    [
      'poetry-transform',
      '--listen tcp:1 --listen tcp:2',
      'there are 1 to listen for and 2 --listen: give one for each',
    ],
    ['poetry-proxy', '', 'which poems? Give the [HOST:]PORT of one server or more'],
    ['poetry-proxy', '10000 10001 --listen tcp:1', 'there are 2 to listen for and 1 --listen: give one for each'],
    ['poetry-proxy', '--max-age long 10000', '--max-age takes a time, as in 1s, 250ms or 0.5 (seconds), not "long"'],
    ['npm start', '--delay -1', '--delay takes a time, as in 1s, 250ms or 0.5 (seconds), not "-1"'],
    ['npm start', 'fast', 'it takes no arguments, not "fast"'],
  ])('%s %s: one line says what, and the exit code is 2', (name, argv, complaint) => {
    const { run, sim } = machine()
    const { code, stdout, stderr } = run(commands[name], argv.split(' ').filter(Boolean))
    expect([code, stdout.text, stderr.text]).toEqual([
      2,
      '',
      `${name}: ${complaint} (${commands[name].askForHelp} explains)\n`,
    ])
    expect(sim.pending).toBe(0)
  })
})

describe('an endpoint that was written wrongly', () => {
  it.each<[keyof typeof commands, string, RegExp]>([
    ['get-poetry', 'tcp:localhost', /"tcp:localhost": the argument port is missing \(it is written tcp:HOST:PORT.*\)/],
    [
      'get-poetry',
      '--transform unix::shout 10000',
      /"unix:": the argument path is empty \(it is written unix:PATH.*\)/,
    ],
    [
      'slowpoetry',
      '--listen tcp:x',
      /"tcp:x": the argument port is a whole number .*, not "x" \(it is written tcp:PORT.*\)/,
    ],
    [
      'slowpoetry',
      '--listen tls:1:privateKey=/no',
      /"tls:.*": the file "\/no" cannot be read: ENOENT.* \(it is written tls:.*\)/,
    ],
    [
      'poetry-proxy',
      '--listen telnet:1 9',
      /"telnet:1": no server endpoint has the type "telnet" \(there are: tcp, .*\)/,
    ],
  ])('%s %s: one line says what is wrong and how it is written', (name, argv, complaint) => {
    const { run, sim } = machine()
    const { code, stdout, stderr } = run(commands[name], argv.split(' '))
    expect([code, stdout.text, stderr.lines.length]).toEqual([2, '', 1])
    expect(stderr.text).toMatch(new RegExp(`^${name}: ${complaint.source} \\(${name} --help explains\\)\n$`))
    expect(sim.pending).toBe(0)
  })
})

describe.each(Object.entries(commands))('%s', (name, command) => {
  it('explains itself in 100 columns, with examples', () => {
    const { code, stdout, stderr } = machine().run(command, ['--help'])
    expect([code, stderr.text]).toEqual([0, ''])
    expect(stdout.text).toMatch(/^Usage: .*\n\n[^]*Options:\n[^]*Examples:\n/)
    for (const option of [...Object.keys(command.options), 'trace', 'debug', 'help', 'version'])
      expect(stdout.text).toContain(`--${option}`)
    expect(Math.max(...stdout.lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  it('knows its version', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const { code, stdout } = machine().run(command, ['--version'])
    expect([name, code, stdout.text]).toEqual([name, 0, `${version}\n`])
  })
})

describe('slowpoetry', () => {
  it('serves three poems on three ports if you give it none', () => {
    const { run, sim } = machine()
    const { code, stdout, stderr } = run(slowpoetry, [])
    sim.advance()
    expect(stdout.lines).toEqual([
      'listening on 127.0.0.1:10000: Eternity, by William Blake',
      'listening on 127.0.0.1:10001: Il pleure dans mon cœur, by Paul Verlaine',
      'listening on 127.0.0.1:10002: Who has seen the wind?, by Christina Rossetti',
      'a line at a time, 1 s before each; Ctrl-C ends it',
    ])
    expect([code, stderr.text]).toEqual([undefined, ''])
  })

  it('takes any free port for each poem if you ask for port 0', () => {
    const { run, sim } = machine()
    const { stdout } = run(slowpoetry, [file('short.txt'), file('short.txt'), '--port', '0', '--num-bytes', '3'])
    sim.advance()
    const ports = stdout.lines.slice(0, 2).map((line) => Number(/:(\d+): /.exec(line)?.[1]))
    expect(new Set(ports).size).toBe(2)
    expect(Math.min(...ports)).toBeGreaterThan(0)
    expect(stdout.lines[2]).toBe('3 bytes at a time, 1 s before each; Ctrl-C ends it')
  })

  it.each([
    ['missing.txt', 'there is no such file', 66],
    ['', 'this is a directory, not a file', 66],
    ['circle.txt', 'its symbolic links go round in a circle', 66],
    ['huge.txt', 'a poem may have 16777216 bytes at most', 66],
  ])('cannot serve %s, says why in one line, and serves nothing', (name, why, exit) => {
    const { run, sim } = machine()
    const { code, stdout, stderr } = run(slowpoetry, [file('short.txt'), file(name)])
    expect([code, stdout.text, stderr.text]).toEqual([exit, '', `slowpoetry: ${file(name)}: ${why}\n`])
    expect(sim.pending).toBe(0)
  })

  it('says which port is in use, and gives back those that it had', () => {
    const { reactor, run, sim } = machine()
    serveOnce(reactor, 10_001, () => undefined)
    sim.advance()
    const first = run(slowpoetry, [])
    sim.advance()
    expect(first.code).toBe(71)
    expect(first.stderr.text).toMatch(/^slowpoetry: 127\.0\.0\.1:10001: cannot listen: address already in use.*\n$/)
    const second = run(slowpoetry, [file('short.txt')])
    sim.advance()
    expect([second.code, second.stderr.text]).toEqual([undefined, ''])
  })

  it.each(['localhost', '192.0.2.1'])('cannot listen at %s, and says so', (iface) => {
    const { run, sim } = machine()
    const running = run(slowpoetry, ['--iface', iface])
    sim.advance()
    expect(running.code).toBe(71)
    expect(running.stderr.text).toMatch(/^slowpoetry: .*: cannot listen: .*\n$/)
  })

  it('ends well when it is told to, and gives the clients of the moment the rest of their poems', () => {
    const sim = new Sim()
    const host = sim.host('server')
    const server = start(slowpoetry, ['--iface', '10.0.0.1'], host.reactor)
    sim.advance()
    const client = start(getPoetryCommand, ['server:10000', 'server:10001', 'server:10002'], sim.host('client').reactor)
    sim.advance(1500)
    host.reactor.stop('SIGINT')
    sim.advance()
    expect([server.code, server.stderr.text]).toEqual([0, ''])
    expect([client.code, client.stdout.text]).toEqual([0, whole])
    expect(sim.pending).toBe(0)
  })

  it('does not wait for ever, when it ends, for a client that never reads', () => {
    const sim = new Sim()
    const host = sim.host('server')
    const server = start(slowpoetry, [file('long.txt'), '--iface', '10.0.0.1'], host.reactor)
    sim.advance()
    let reason: Error | undefined
    class Deaf extends Protocol {
      override connectionMade(): void {
        this.transport.pauseProducing()
      }
      override connectionLost(why: Error): void {
        reason = why
      }
    }
    connectProtocol(new TCPClientEndpoint(sim.host('client').reactor, 'server', 10_000), new Deaf())
    sim.advance(1500)
    host.reactor.stop('SIGTERM')
    sim.advance(3999)
    expect([server.code, reason]).toEqual([undefined, undefined])
    sim.advance(1)
    // A reset, so that nobody takes for whole what was cut off.
    expect([server.code, server.stderr.text, reason?.name]).toEqual([0, '', 'ConnectionLost'])
    expect(sim.pending).toBe(0)
  })
})

describe('get-poetry', () => {
  it('gets the poems all at once, reports as it happens, and prints them in the order asked for', () => {
    const { run, sim } = machine()
    run(slowpoetry, [])
    sim.advance()
    const client = run(getPoetryCommand, ['10002', 'localhost:10000', '[::1]:10000', '10001'])
    const { stdout, stderr } = client
    sim.advance(1000)
    expect(stdout.text).toBe('')
    expect(stderr.lines.slice(0, 4)).toEqual([
      'get-poetry: [::1]:10000: connection refused (is the server running?)',
      'task 1: got 23 bytes from 127.0.0.1:10002',
      'task 2: got 30 bytes from localhost:10000',
      'task 4: got 25 bytes from 127.0.0.1:10001',
    ])
    sim.advance(3000)
    expect(client.code).toBe(69)
    expect(stdout.text).toBe([2, 0, 1].map((index) => builtInPoems[index]?.text).join(''))
    expect(stderr.lines.at(-1)).toBe('3 of 4 poems, 342 bytes, concurrent, in 4.00 s')
    expect(stderr.lines).toContain('task 2: finished, 128 bytes from localhost:10000 in 4.00 s')
  })

  it('gets them one after another if you ask for that, in three times the time', () => {
    const { run, sim } = machine()
    run(slowpoetry, [])
    sim.advance()
    const client = run(getPoetryCommand, ['--mode', 'sequential', '10000', '10001', '10002'])
    sim.advance(11_999)
    expect(client.code).toBeUndefined()
    sim.advance(1)
    expect([client.code, client.stdout.text]).toEqual([0, whole])
    expect(client.stderr.lines.at(-1)).toMatch(/^3 poems, \d+ bytes, sequential, in 12\.00 s$/)
  })

  it('prints nothing of a poem that was cut off, says so in one line, and still prints the others', () => {
    const { reactor, run, sim } = machine()
    run(slowpoetry, [])
    serveOnce(reactor, 9000, ({ transport }) => {
      transport.write('half a po')
      reactor.callLater(500, () => transport.abortConnection())
    })
    sim.advance()
    const client = run(getPoetryCommand, ['10000', '9000', '10002'])
    sim.advance(4000)
    expect(client.code).toBe(74)
    expect(client.stdout.text).toBe(`${builtInPoems[0].text}${builtInPoems[2].text}`)
    expect(client.stderr.lines.filter((line) => line.startsWith('get-poetry: '))).toEqual([
      expect.stringMatching(/^get-poetry: 127\.0\.0\.1:9000: incomplete: only 9 bytes of the poem arrived \(.+\)$/),
    ])
    expect(client.stderr.lines.at(-1)).toMatch(/^2 of 3 poems, /)
  })

  it('gets a poem from any server that sends bytes and closes', () => {
    const { reactor, run, sim } = machine()
    serveOnce(reactor, 9000, ({ transport }) => {
      transport.write('no line end')
      transport.loseConnection()
    })
    sim.advance()
    const client = run(getPoetryCommand, ['9000'])
    sim.advance(1)
    expect([client.code, client.stdout.text]).toEqual([0, 'no line end'])
    expect(client.stderr.lines.at(-1)).toBe('1 poem, 11 bytes, concurrent, in 0.00 s')
  })

  it.each([
    ['127.0.0.1:9', '127.0.0.1:9: connection refused (is the server running?)', 69],
    ['nowhere.example:9', 'nowhere.example: unknown host (is the name spelled right?)', 68],
  ])('says why %s gives no poem, and ends with the code for that', (address, why, exit) => {
    const { run, sim } = machine()
    const client = run(getPoetryCommand, [address])
    sim.advance(1)
    expect([client.code, client.stdout.text]).toEqual([exit, ''])
    expect(client.stderr.lines[0]).toBe(`get-poetry: ${why}`)
  })

  it('refuses a poem of more than 16 MiB', () => {
    const { reactor, run, sim } = machine()
    serveOnce(reactor, 9000, ({ transport }) => {
      transport.write(new Uint8Array(16 * 1024 * 1024 + 1))
      transport.loseConnection()
    })
    sim.advance()
    const quiet = new CapturedOutput()
    const client = run(getPoetryCommand, ['9000'], { stderr: quiet })
    sim.advance(1000)
    expect([client.code, client.stdout.text]).toEqual([76, ''])
    expect(quiet.text).toMatch(/get-poetry: 127\.0\.0\.1:9000: incomplete: .* the limit is 16777216/)
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('gives up at once on %s, whatever it is at, and prints nothing', (signal, exit) => {
    const sim = new Sim({ latency: 100 })
    start(slowpoetry, ['--iface', '10.0.0.1'], sim.host('server').reactor)
    sim.advance()
    for (const mode of ['concurrent', 'sequential']) {
      // In the middle of connecting, of the first poem, and, one after another, of the second.
      for (const when of [50, 1500, 3500]) {
        const { reactor } = sim.host(`client-${mode}-${when}`)
        const client = start(getPoetryCommand, ['--mode', mode, 'server:10000', 'server:10001'], reactor)
        sim.advance(when)
        expect(client.code).toBeUndefined()
        reactor.stop(signal)
        expect([client.code, client.stdout.text]).toEqual([exit, ''])
        expect(client.stderr.text).not.toContain('get-poetry:')
        sim.advance(10_000)
        expect(sim.pending).toBe(0)
      }
    }
  })

  it('gives a pipe the bytes as they came, and a terminal nothing that could harm it', () => {
    const { run, sim } = machine()
    run(slowpoetry, [file('binary.txt'), file('short.txt'), file('empty.txt'), '--delay', '0'])
    sim.advance()
    const pipe = run(getPoetryCommand, ['10000', '10001', '10002'])
    const terminal = run(getPoetryCommand, ['10000', '10001', '10002'], { stdout: new CapturedOutput({ isTTY: true }) })
    sim.advance(1)
    const bytes = [...readFileSync(file('binary.txt')), ...toBytes('one\ntwo\n')]
    expect([pipe.code, [...pipe.stdout.bytes]]).toEqual([0, bytes])
    expect([terminal.code, terminal.stdout.text]).toEqual([0, '\\x00\ufffd\\x1b[2J\n\ufffd\none\ntwo\n\n'])
  })

  it('shows on a terminal how far each poem is, in lines that change in place', () => {
    const { run, sim } = machine()
    run(slowpoetry, [])
    sim.advance()
    const stderr = new CapturedOutput({ isTTY: true, columns: 50 })
    const client = run(getPoetryCommand, ['10000', '10001', '9'], { stderr })
    sim.advance(4000)
    expect(client.code).toBe(69)
    const frames = stderr.text.split('\x1b[3A\x1b[J')
    expect(frames.length).toBeGreaterThan(35)
    expect(stderr.text.replaceAll('\x1b[3A\x1b[J', '')).not.toContain('\x1b')
    expect(frames.at(-1)?.split('\n')).toEqual([
      '✓ 127.0.0.1:10000    128 bytes    4.00 s  ●●●●',
      '✓ 127.0.0.1:10001    107 bytes    4.00 s  ●●●●',
      '✗ 127.0.0.1:9          0 bytes    0.00 s  ',
      '2 of 3 poems, 235 bytes, concurrent, in 4.00 s',
      '',
    ])
    expect(sim.pending).toBe(0)
  })

  it('shows one line for all of them if they are many', () => {
    const { run, sim } = machine()
    run(slowpoetry, [])
    sim.advance()
    const stderr = new CapturedOutput({ isTTY: true })
    const client = run(getPoetryCommand, Array<string>(20).fill('10000'), { stderr })
    sim.advance(4000)
    expect(client.code).toBe(0)
    const frames = stderr.text.split('\x1b[1A\x1b[J')
    expect(frames).toContain('… 0 of 20 poems, 1200 bytes\n')
    expect(frames.at(-1)).toBe('… 20 of 20 poems, 2560 bytes\n20 poems, 2560 bytes, concurrent, in 4.00 s\n')
  })

  it('is silent when its stdout is closed early', () => {
    const { run, sim } = machine()
    run(slowpoetry, [file('short.txt'), '--delay', '0'])
    sim.advance()
    const stdout = new CapturedOutput({ broken: Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) })
    const client = run(getPoetryCommand, ['10000'], { stdout })
    sim.advance(1)
    expect(client.code).toBe(141)
    expect(client.stderr.text).not.toContain('EPIPE')
  })

  it('says where, if something goes wrong and you ask', () => {
    const { run } = machine()
    const { stderr } = run(getPoetryCommand, ['--debug', 'abc'])
    expect(stderr.text).toMatch(/^get-poetry: "abc" is not .*\nUsageError: [^]*\n {4}at /)
  })
})

describe('npm start', () => {
  it('shows every line as it arrives, then why, in 80 columns and without a color', () => {
    const { run, sim } = machine()
    const running = run(experimentCommand, [])
    const { stdout, stderr } = running
    sim.advance(1000)
    expect(stdout.lines.at(-1)).toBe('   1.00 s  poem 1  He who binds to himself a joy')
    sim.advance(15_000)
    expect(running.code).toBe(0)
    expect(stdout.text).toMatchInlineSnapshot(`
      "Three slow poets: four lines each, and 1 s of silence before every line.

      Sequential: one after another, as a blocking client has to

         1.00 s  poem 1  He who binds to himself a joy
         2.00 s  poem 1  Does the winged life destroy;
         3.00 s  poem 1  But he who kisses the joy as it flies
         4.00 s  poem 1  Lives in eternity's sun rise.
         5.00 s  poem 2  Il pleure dans mon cœur
         6.00 s  poem 2  Comme il pleut sur la ville ;
         7.00 s  poem 2  Quelle est cette langueur
         8.00 s  poem 2  Qui pénètre mon cœur ?
         9.00 s  poem 3  Who has seen the wind?
        10.00 s  poem 3  Neither I nor you:
        11.00 s  poem 3  But when the leaves hang trembling,
        12.00 s  poem 3  The wind is passing through.

      Concurrent: all at once, as an asynchronous client can

         1.00 s  poem 1  He who binds to himself a joy
         1.00 s  poem 2  Il pleure dans mon cœur
         1.00 s  poem 3  Who has seen the wind?
         2.00 s  poem 1  Does the winged life destroy;
         2.00 s  poem 2  Comme il pleut sur la ville ;
         2.00 s  poem 3  Neither I nor you:
         3.00 s  poem 1  But he who kisses the joy as it flies
         3.00 s  poem 2  Quelle est cette langueur
         3.00 s  poem 3  But when the leaves hang trembling,
         4.00 s  poem 1  Lives in eternity's sun rise.
         4.00 s  poem 2  Qui pénètre mon cœur ?
         4.00 s  poem 3  The wind is passing through.

      Why? ─ waits for a poet, ● is a line that arrived; both pictures have one scale.

        sequential
         poem 1  ────●────●────●────●
         poem 2                      ────●────●────●────●
         poem 3                                          ────●────●────●────● 12.00 s

        concurrent
         poem 1  ────●────●────●────●
         poem 2  ────●────●────●────●
         poem 3  ────●────●────●────●                                          4.00 s

        sequential 12.00 s   concurrent 4.00 s   ratio 3.0x

      No poet was any faster: the reader used the time in which each was silent.
      "
    `)
    expect(stderr.text).toBe('')
    expect(Math.max(...stdout.lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(stdout.text).not.toContain('\x1b')
    expect(sim.pending).toBe(0)
  })

  it('tells with --log what happened, where it draws a picture otherwise', () => {
    const { run, sim } = machine()
    const running = run(experimentCommand, ['--log'])
    sim.advance(20_000)
    const told = running.stdout.lines.slice(running.stdout.lines.indexOf('What happened?'))
    expect(told.slice(0, 8)).toEqual([
      'What happened?',
      '',
      '  sequential',
      '   0.00 s  asks poem 1 for its poem',
      '   0.00 s  is connected with poem 1',
      '           … 1.00 s of waiting for poem 1',
      '   1.00 s  reads 30 bytes from poem 1',
      '           … 1.00 s of waiting for poem 1',
    ])
    expect(told.filter((line) => line.includes('3 poets at once')).length).toBe(4)
    expect(told).toContain('  sequential 12.00 s   concurrent 4.00 s   ratio 3.0x')
    expect(running.stdout.text).not.toContain('●')
  })

  it('gives up at once on Ctrl-C', () => {
    const { reactor, run, sim } = machine()
    const running = run(experimentCommand, [])
    sim.advance(2500)
    reactor.stop('SIGINT')
    sim.advance()
    expect([running.code, running.stderr.text]).toEqual([130, ''])
    sim.advance(1000)
    expect(sim.pending).toBe(0)
  })
})
