/** Programs that `react` runs, as processes of their own: signals, exit codes, and output that is not lost. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'

interface Outcome {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts `react(main)` with this text as its main. */
function program(main: string): { child: ChildProcessWithoutNullStreams; outcome: Promise<Outcome> } {
  const text = `
    import { Deferred, Factory, Protocol } from 'couplet'
    import { react } from 'couplet/node'
    react(${main})`
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

describe('a program', { timeout: 30_000 }, () => {
  it('that finishes exits with 0, and all of its megabytes come out of the pipe', async () => {
    const { outcome } = program(`() => { process.stdout.write('x'.repeat(8 << 20)) }`)
    const { code, stdout, stderr } = await outcome
    expect([code, stdout.length, stderr]).toEqual([0, 8 << 20, ''])
  })

  it('is not held up by open ports and timers', async () => {
    const { outcome } = program(`async (reactor) => {
      await reactor.listenTCP(0, Factory.forProtocol(() => null))
      reactor.callLater(1e9, () => {})
    }`)
    expect((await outcome).code).toBe(0)
  })

  it('that waits for what never comes says so and exits with 70', async () => {
    const { code, stderr } = await program(`() => new Deferred()`).outcome
    expect(code).toBe(70)
    expect(stderr).toMatch(/nothing is left to wait for, but main has not finished/)
  })

  it('that reaches nobody says so in one line', async () => {
    const { code, stderr } = await program(`async (reactor) => {
      const port = await reactor.listenTCP(0, Factory.forProtocol(() => null), { interface: '127.0.0.1' })
      await port.stopListening()
      await reactor.dial(port.host)
    }`).outcome
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^\S+: 127\.0\.0\.1:\d+: connection refused.*\n$/)])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends promptly on %s when nothing drains', async (signal, expected) => {
    const { child, outcome } = program(`(reactor) => {
      reactor.callLater(1e6, () => {})
      console.log('ready')
      return new Deferred()
    }`)
    await ready(child)
    const before = performance.now()
    child.kill(signal)
    const { code } = await outcome
    expect(code).toBe(expected)
    expect(performance.now() - before).toBeLessThan(1000)
  })

  it('that waits for the end ends well on a signal, and may say goodbye', async () => {
    const { child, outcome } = program(`async (reactor) => {
      await reactor.listenTCP(0, Factory.forProtocol(() => null))
      console.log('ready')
      console.log('stopped by', await reactor.whenStopped())
    }`)
    await ready(child)
    child.kill('SIGTERM')
    expect(await outcome).toEqual({ code: 0, signal: null, stdout: 'ready\nstopped by SIGTERM\n', stderr: '' })
  })

  it('ends at once on the second signal', async () => {
    const { child, outcome } = program(`async (reactor) => {
      console.log('ready')
      await reactor.whenStopped()
      console.log('never mind')
      await new Deferred()
    }`)
    await ready(child)
    child.kill('SIGINT')
    await ready(child)
    child.kill('SIGINT')
    expect((await outcome).code).toBe(130)
  })

  it('that writes to nobody is silent and exits with 141', async () => {
    const { child, outcome } = program(`(reactor) => {
      const more = () => { process.stdout.write('x'.repeat(1000)); reactor.callLater(1, more) }
      more()
      return new Deferred()
    }`)
    await ready(child)
    child.stdout.destroy()
    const { code, stderr } = await outcome
    expect([code, stderr]).toEqual([141, ''])
  })

  it('goes on after a failure that nobody handled, and says so once', async () => {
    const { outcome } = program(`async (reactor) => {
      const failed = new Deferred()
      failed.errback(new Error('nobody cares'))
    }`)
    const { code, stderr } = await outcome
    expect([code, stderr.match(/nobody cares/g)?.length]).toEqual([0, 1])
  })
})
