/** Servers that are processes of their own, with limits of their own: they are asked in lines and answer in lines. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
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
 * @param descriptors how many files it may have open, once it has read its own (Linux only)
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
    const questions = createInterface(process.stdin)
    console.log('ready')
    await new Promise((listen) => questions.once('line', listen))
    const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1', backlog: 4096 })
    console.log(port.host.port)
    questions.on('line', (question) => console.log((${answers})(question)))`
  const node = [...options, '-C', '@couplet/source', '--import', 'tsx', '--input-type=module', '--eval', text]
  const child = spawn(process.execPath, node, { stdio: ['pipe', 'pipe', 'ignore'] })
  const output = createInterface(child.stdout)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    child.stdin.destroy()
    output.close()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
  })
  const lines = output[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the server has ended')
    return value
  }
  const ask = (question: string): Promise<string> => {
    child.stdin.write(`${question}\n`)
    return next()
  }
  await next()
  // Not before: loading its modules, Node has more files open at once than we want to leave it.
  if (descriptors !== undefined) execFileSync('prlimit', [`--nofile=${descriptors}`, '--pid', String(child.pid)])
  return { port: Number(await ask('listen')), ask }
}
