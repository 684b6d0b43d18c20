/**
 * The first stanza of "Who has seen the wind?" by Christina Rossetti, who died in 1894. From "Sing-Song", 1872; in the
 * public domain.
 *
 * No ancestor.
 */
import type { Poem } from '../poem.ts'

/** Four lines in English. */
export const theWind: Poem = {
  title: 'Who has seen the wind?',
  author: 'Christina Rossetti',
  text: `\
Who has seen the wind?
Neither I nor you:
But when the leaves hang trembling,
The wind is passing through.
`,
}
