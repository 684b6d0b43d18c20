/** Programs that `react` runs, as processes of their own: signals, exit codes, and output that is not lost. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, type TestContext } from 'vitest'

interface Outcome {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts `react(main)` with this text as its main, and, unless told otherwise, all the time in the world to drain. */
function program(
  main: string,
  onTestFinished: TestContext['onTestFinished'],
  drain = 1e9,
): { child: ChildProcessWithoutNullStreams; outcome: Promise<Outcome> } {
  const text = `
    import { DatagramProtocol, Deferred, Factory, ProcessProtocol, Protocol } from 'couplet'
    import { react } from 'couplet/node'
    react(${main}, [], { drain: ${drain} })`
  const args = ['-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', text]
  const child = spawn(process.execPath, args)
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const outcome = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    stdout,
    stderr,
  }))
  return { child, outcome }
}

async function ready(child: ChildProcessWithoutNullStreams): Promise<void> {
  await once(child.stdout, 'data')
}

describe.concurrent('a program', () => {
  it('that finishes exits with 0, and all of its megabytes come out of the pipe', async ({ onTestFinished }) => {
    const { outcome } = program(`() => { process.stdout.write('x'.repeat(8 << 20)) }`, onTestFinished)
    const { code, stdout, stderr } = await outcome
    expect([code, stdout.length, stderr]).toEqual([0, 8 << 20, ''])
  })

  it('that is told to end closes its ports for datagrams too', async ({ onTestFinished }) => {
    const { child, outcome } = program(
      `async (reactor) => {
      class Quiet extends DatagramProtocol {
        stopProtocol() { console.log('stopped', reactor.stats().ports) }
      }
      await reactor.listenUDP(0, new Quiet(), { interface: '127.0.0.1' })
      console.log('ready')
      await reactor.whenStopped()
    }`,
      onTestFinished,
    )
    await ready(child)
    child.kill('SIGTERM')
    expect(await outcome).toEqual({ code: 0, signal: null, stdout: 'ready\nstopped 1\n', stderr: '' })
  })

  it('is not held up by open ports and timers', async ({ onTestFinished }) => {
    const { outcome } = program(
      `async (reactor) => {
      await reactor.listenTCP(0, Factory.forProtocol(() => null))
      reactor.callLater(1e9, () => {})
    }`,
      onTestFinished,
    )
    expect((await outcome).code).toBe(0)
  })

  it('that waits for what never comes says so and exits with 70', async ({ onTestFinished }) => {
    const { code, stderr } = await program(`() => new Deferred()`, onTestFinished).outcome
    expect(code).toBe(70)
    expect(stderr).toMatch(/nothing is left to wait for, but main has not finished/)
  })

  it('that reaches nobody says so in one line', async ({ onTestFinished }) => {
    const { code, stderr } = await program(
      `async (reactor) => {
      const port = await reactor.listenTCP(0, Factory.forProtocol(() => null), { interface: '127.0.0.1' })
      await port.stopListening()
      await reactor.dial(port.host)
    }`,
      onTestFinished,
    ).outcome
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^\S+: 127\.0\.0\.1:\d+: connection refused.*\n$/)])
  })

  it.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'does not wait for the deadline on %s when nothing drains',
    async ([signal, expected], { onTestFinished }) => {
      const { child, outcome } = program(
        `(reactor) => {
      reactor.callLater(1e6, () => {})
      console.log('ready')
      return new Deferred()
    }`,
        onTestFinished,
      )
      await ready(child)
      child.kill(signal)
      expect((await outcome).code).toBe(expected)
    },
  )

  it('that waits for the end ends well on a signal, and may say goodbye', async ({ onTestFinished }) => {
    const { child, outcome } = program(
      `async (reactor) => {
      await reactor.listenTCP(0, Factory.forProtocol(() => null))
      console.log('ready')
      console.log('stopped by', await reactor.whenStopped())
    }`,
      onTestFinished,
    )
    await ready(child)
    child.kill('SIGTERM')
    expect(await outcome).toEqual({ code: 0, signal: null, stdout: 'ready\nstopped by SIGTERM\n', stderr: '' })
  })

  it('ends at once on the second signal', async ({ onTestFinished }) => {
    const { child, outcome } = program(
      `async (reactor) => {
      console.log('ready')
      await reactor.whenStopped()
      console.log('never mind')
      await new Deferred()
    }`,
      onTestFinished,
    )
    await ready(child)
    child.kill('SIGINT')
    await ready(child)
    child.kill('SIGINT')
    expect((await outcome).code).toBe(130)
  })

  it('that writes to nobody is silent and exits with 141', async ({ onTestFinished }) => {
    const { child, outcome } = program(
      `(reactor) => {
      const more = () => { process.stdout.write('x'.repeat(1000)); reactor.callLater(1, more) }
      more()
      return new Deferred()
    }`,
      onTestFinished,
    )
    await ready(child)
    child.stdout.destroy()
    const { code, stderr } = await outcome
    expect([code, stderr]).toEqual([141, ''])
  })

  it('goes on after a failure that nobody handled, and says so once', async ({ onTestFinished }) => {
    const { outcome } = program(
      `async (reactor) => {
      const failed = new Deferred()
      failed.errback(new Error('nobody cares'))
    }`,
      onTestFinished,
    )
    const { code, stderr } = await outcome
    expect([code, stderr.match(/nobody cares/g)?.length]).toEqual([0, 1])
  })

  // Each of these children holds the program's stderr open, so that the outcome is known when they have ended, not before.
  const spawn = (text: string): string =>
    `reactor.spawnProcess(new ProcessProtocol(), '/bin/sh', ['-c', ${JSON.stringify(text)}], { stderr: 'inherit' })`

  it('leaves no child process behind', async ({ onTestFinished }) => {
    const main = `async (reactor) => { await ${spawn('echo started >&2; exec sleep 1000')} }`
    const { outcome } = program(main, onTestFinished)
    expect((await outcome).code).toBe(0)
  })

  it('gives its child processes time to end, after a signal', async ({ onTestFinished }) => {
    const { child, outcome } = program(
      `async (reactor) => {
      const stopped = reactor.whenStopped()
      await ${spawn('trap "echo bye >&2; exit" TERM; echo ready >&2; while :; do read x; done')}
      await stopped
    }`,
      onTestFinished,
    )
    await once(child.stderr, 'data')
    child.kill('SIGTERM')
    expect(await outcome).toMatchObject({ code: 0, stderr: 'ready\nbye\n' })
  })

  it('kills them at once on the second signal, or when they take too long', async ({ onTestFinished }) => {
    const stubborn = `trap 'echo no >&2' TERM; echo ready >&2; while :; do read x; done`
    const main = `async (reactor) => {
      const stopped = reactor.whenStopped()
      await ${spawn(stubborn)}
      await stopped
    }`
    const signalled = program(main, onTestFinished)
    await once(signalled.child.stderr, 'data')
    signalled.child.kill('SIGTERM')
    await once(signalled.child.stderr, 'data')
    signalled.child.kill('SIGTERM')
    const late = program(main, onTestFinished, 500)
    await once(late.child.stderr, 'data')
    late.child.kill('SIGTERM')
    expect([(await signalled.outcome).code, (await late.outcome).code]).toEqual([143, 0])
  })
})
