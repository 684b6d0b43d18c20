/**
 * The programs that the contract of child processes is tried with: each as a script for a shell, where processes are
 * real, and as a script for a simulated world.
 */
import { type Clock, LineReceiver, ProcessAddress, Protocol, toText } from 'couplet'
import type { Executable } from 'couplet/sim'

/** A program twice. */
export interface TwoScripts {
  readonly sh: string
  readonly sim: Executable
}

class Cat extends Protocol {
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

/** Reads all there is, and calls `ended` then. */
class Reader extends Protocol {
  readonly #ended: (size: number) => void
  #size = 0

  constructor(ended: (size: number) => void = () => {}) {
    super()
    this.#ended = ended
  }

  override dataReceived(chunk: Uint8Array): void {
    this.#size += chunk.length
  }

  override readConnectionLost(): void {
    this.#ended(this.#size)
  }
}

class Lines extends LineReceiver {
  override delimiter = '\n'
  readonly #said: (line: string) => void

  constructor(said: (line: string) => void) {
    super()
    this.#said = said
  }

  override lineReceived(line: Uint8Array): void {
    this.#said(toText(line))
  }
}

/** Says the same, every millisecond, until nobody hears it any more. */
class Yes extends Protocol {
  readonly #clock: Clock
  readonly #unheard: () => void

  constructor(clock: Clock, unheard: () => void) {
    super()
    this.#clock = clock
    this.#unheard = unheard
  }

  override connectionMade(): void {
    this.transport.write('first\n')
    this.#clock.callLater(1, () => this.#say())
  }

  override readConnectionLost(): void {}

  override connectionLost(): void {
    this.#unheard()
  }

  #say(): void {
    if (this.transport.disconnected) return
    this.transport.write('y\n')
    this.#clock.callLater(1, () => this.#say())
  }
}

const ignore = (): void => {}

/** The programs by their names. */
export const programs = {
  answers: {
    sh: 'read line; echo "heard $line"; echo oh >&2',
    sim: (process) =>
      new Lines((line) => {
        process.stdout.write(`heard ${line}\n`)
        process.stderr.write('oh\n')
        process.exit()
      }),
  },
  speaks: {
    sh: 'echo out; echo err >&2; exec >&- 2>&-; exit 0',
    sim: (process) => {
      process.stdout.write('out\n')
      process.stderr.write('err\n')
      process.exit()
    },
  },
  exits: { sh: 'exit 3', sim: (process) => process.exit(3) },
  dies: { sh: 'kill -KILL $$', sim: (process) => void process.signal('SIGKILL') },
  half: {
    sh: 'echo half; kill -KILL $$',
    sim: (process) => {
      process.stdout.write('half\n')
      process.reactor.callLater(0, () => process.signal('SIGKILL'))
    },
  },
  cat: { sh: 'exec /bin/cat', sim: () => new Cat() },
  env: {
    sh: 'exec /usr/bin/env -u PWD -u OLDPWD -u SHLVL -u _ -u PATH',
    sim: (process) => {
      for (const [name, value] of Object.entries(process.env)) {
        if (name !== 'PATH') process.stdout.write(`${name}=${value}\n`)
      }
      process.exit()
    },
  },
  pwd: {
    sh: 'pwd',
    sim: (process) => {
      process.stdout.write(`${process.cwd}\n`)
      process.exit()
    },
  },
  deaf: {
    sh: 'trap "echo heard; exit 4" TERM; exec <&-; echo closed; while :; do /bin/sleep 0.02; done',
    sim: (process) => {
      process.closeStdin()
      process.stdout.write('closed\n')
      process.onSignal('SIGTERM', () => {
        process.stdout.write('heard\n')
        process.exit(4)
      })
    },
  },
  brief: {
    sh: 'echo enough',
    sim: (process) => {
      process.stdout.write('enough\n')
      process.exit()
    },
  },
  yes: {
    sh: 'echo first; /usr/bin/yes; echo "that is the end of yes" >&2',
    sim: (process) =>
      new Yes(process.reactor, () => {
        process.stderr.write('that is the end of yes\n')
        process.exit()
      }),
  },
  polite: {
    sh: 'trap "echo bye; exit 7" TERM; echo ready; read x; read x',
    sim: (process) => {
      process.stdout.write('ready\n')
      process.onSignal('SIGTERM', () => {
        process.stdout.write('bye\n')
        process.exit(7)
      })
    },
  },
  reads: { sh: 'read x; exit 0', sim: (process) => new Reader(() => process.exit()) },
  stubborn: {
    sh: 'trap "echo no" TERM; echo ready; while :; do read x; done',
    sim: (process) => {
      process.stdout.write('ready\n')
      process.onSignal('SIGTERM', () => process.stdout.write('no\n'))
    },
  },
  sink: { sh: '/bin/cat >/dev/null; exit 5', sim: (process) => new Reader(() => process.exit(5)) },
  immovable: {
    sh: 'trap "" TERM HUP PIPE; echo out; echo err >&2; exec /bin/sleep 1000',
    sim: (process) => {
      process.stdout.write('out\n')
      process.stderr.write('err\n')
      for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.onSignal(signal, ignore)
    },
  },
  parent: {
    sh: '/bin/sleep 1000 </dev/null >/dev/null & echo $!; exit 2',
    sim: (process) =>
      process.reactor.spawn(new ProcessAddress('/bin/sleep'), { stderr: 'inherit' }).addCallback(({ pid }) => {
        process.stdout.write(`${pid}\n`)
        process.exit(2)
      }),
  },
  sleep: { sh: 'exec /bin/sleep 1000', sim: ignore },
  flood: {
    sh: 'exec /usr/bin/head -c 3000000 /dev/zero',
    sim: (process) => {
      const flood = { left: 3_000_000, stopProducing: ignore, resumeProducing: ignore }
      process.stdout.registerProducer(
        Object.assign(flood, {
          resumeProducing() {
            process.stdout.write(new Uint8Array(50_000))
            flood.left -= 50_000
            if (flood.left === 0) process.exit()
          },
        }),
        false,
      )
    },
  },
  wc: {
    sh: 'exec /usr/bin/wc -c',
    sim: (process) =>
      new Reader((size) => {
        process.stdout.write(`${size}\n`)
        process.exit()
      }),
  },
} satisfies Record<string, TwoScripts>

export type ProgramName = keyof typeof programs
