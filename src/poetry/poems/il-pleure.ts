/**
 * The first stanza of "Il pleure dans mon cœur" by Paul Verlaine, who died in 1896. From "Romances sans paroles", 1874;
 * in the public domain.
 *
 * It is here for its accents: a poem must survive being cut inside a character. No ancestor.
 */
import type { Poem } from '../poem.ts'

/** Four lines in French; `é`, `è` and `œ` are two bytes each in UTF-8. */
export const ilPleure: Poem = {
  title: 'Il pleure dans mon cœur',
  author: 'Paul Verlaine',
  text: `\
Il pleure dans mon cœur
Comme il pleut sur la ville ;
Quelle est cette langueur
Qui pénètre mon cœur ?
`,
}
