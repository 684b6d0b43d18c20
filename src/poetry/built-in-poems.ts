/**
 * The poems that come with the program, so that it has something to say without a file, in a browser too.
 *
 * No ancestor.
 */
import type { Poem } from './poem.ts'
import { eternity } from './poems/eternity.ts'
import { ilPleure } from './poems/il-pleure.ts'
import { theWind } from './poems/the-wind.ts'

/** Three poems of four lines each, in the order in which they are served. */
export const builtInPoems: readonly [Poem, Poem, Poem] = [eternity, ilPleure, theWind]
