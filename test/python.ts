/** The Python that wire tests talk to: Debian's, if the one that comes first has not what they need. */
import { execFileSync } from 'node:child_process'

/**
 * The command of a Python with these modules; `undefined` if there is none: then it says what to install, and the suite
 * is to be skipped.
 */
export function pythonWith(modules: readonly string[], ...packages: readonly string[]): string | undefined {
  const found = ['python3', '/usr/bin/python3'].find((command) => {
    try {
      execFileSync(command, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
  if (found === undefined) {
    console.error(`SKIPPED: no Python with ${modules.join(', ')} (apt-get install ${packages.join(' ')})`)
  }
  return found
}
