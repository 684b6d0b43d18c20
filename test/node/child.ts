/** Servers that are processes of their own, with limits of their own: they are asked in lines and answer in lines. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

export interface ServerProcess {
  readonly port: number
  /** What the server says to a question. One at a time. */
  ask(question: string): Promise<string>
}

/**
 * Starts a server. It ends with the test.
 *
 * @param build the text of a function from nothing to a Protocol; it sees everything from `couplet`, and `reactor`
 * @param answers the text of a function from a question to what is said to it
 * @param descriptors how many files it may have open (`ulimit -n`)
 */
export async function serverProcess(
  build: string,
  answers: string,
  descriptors?: number,
  options: readonly string[] = [],
): Promise<ServerProcess> {
  const text = `
    import { createInterface } from 'node:readline'
    import * as couplet from 'couplet'
    import { reactor } from 'couplet/node'
    const { Factory, LineReceiver, Protocol } = couplet
    const factory = Factory.forProtocol(${build})
    const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1', backlog: 4096 })
    console.log(port.host.port)
    createInterface(process.stdin).on('line', (question) => console.log((${answers})(question)))`
  const node = [process.execPath, ...options, '-C', '@couplet/source', '--import', 'tsx', '--input-type=module']
  const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors}; `
  const child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...node, '--eval', text], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the server has ended')
    return value
  }
  const port = Number(await next())
  return {
    port,
    ask: (question) => {
      child.stdin.write(`${question}\n`)
      return next()
    },
  }
}
