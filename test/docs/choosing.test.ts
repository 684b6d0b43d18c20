/** docs/choosing.md: what it shows is run. */
import { join } from 'node:path'
import { itsBlocksRun, pageNamed } from './page.ts'

itsBlocksRun(pageNamed('choosing'), join(import.meta.dirname, 'choosing'), (name) => import(`./choosing/${name}.ts`))
