/** The processes of a benchmark: each is asked in lines of text and answers in lines, whatever language it is written in. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'

/** One process; it is asked one thing at a time. */
export class Child {
  readonly #process: ChildProcess
  readonly #lines: Interface
  readonly #answers: string[] = []
  #waiting: { resolve: (answer: string) => void; reject: (error: Error) => void } | undefined

  /** @param command with its arguments; it inherits the errors' output */
  constructor(...command: readonly string[]) {
    // What is measured holds thousands of connections: as many descriptors as this user may have.
    const shell = ['-c', 'ulimit -n $(ulimit -Hn) 2>/dev/null; exec "$@"', 'sh', ...command]
    this.#process = spawn('sh', shell, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface(this.#process.stdout!)
    this.#lines.on('line', (answer) => {
      if (this.#waiting === undefined) this.#answers.push(answer)
      else this.#waiting.resolve(answer)
      this.#waiting = undefined
    })
    this.#process.on('exit', (code, signal) => {
      this.#waiting?.reject(new Error(`${command.join(' ')}: ended with ${signal ?? code}`))
    })
  }

  /** The next line that it says. */
  next(): Promise<string> {
    const answer = this.#answers.shift()
    if (answer !== undefined) return Promise.resolve(answer)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  ask(question: string): Promise<string> {
    this.#process.stdin!.write(`${question}\n`)
    return this.next()
  }

  end(): void {
    this.#lines.close()
    this.#process.kill()
  }
}

/** The command that runs another program of this folder, with the options that this process was started with. */
export function sibling(name: string, ...argv: readonly string[]): string[] {
  return [process.execPath, ...process.execArgv, join(import.meta.dirname, `${name}.js`), ...argv]
}

/** Answers what this process is asked. It ends when nobody can ask any more. */
export function answer(how: (question: string) => unknown): void {
  const asked = createInterface(process.stdin)
  asked.on('line', (question) => void Promise.resolve(how(question)).then((said) => console.log(String(said))))
  asked.on('close', () => process.exit())
}

/** A Python that has Twisted: Debian's, if the one that comes first has not. */
export function pythonWithTwisted(): string | undefined {
  return ['python3', '/usr/bin/python3'].find((command) => {
    try {
      execFileSync(command, ['-c', 'import twisted'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}
