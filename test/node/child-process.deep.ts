/** A thousand child processes: missing, flooding, deaf to SIGTERM, well-behaved. */
import { it } from 'vitest'
import { runMany } from './child-processes.ts'

it('a thousand child processes leave nothing: no descriptor, no timer, no zombie', () => runMany(1000))
