/** docs/deferred-for-promise-people.md: each of its blocks is a file here, runs, and prints what it says. */
import { join } from 'node:path'
import { itsBlocksRun, pageNamed } from './page.ts'

itsBlocksRun(
  pageNamed('deferred-for-promise-people'),
  join(import.meta.dirname, 'deferred'),
  (name) => import(`./deferred/${name}.ts`),
)
