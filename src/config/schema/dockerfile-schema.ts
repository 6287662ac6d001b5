import * as z from 'zod'
import { environmentVariables, list, text } from './scalars.ts'

const inside = 'without `..`'
const contextRule = `a folder inside the folder of basalt.yaml, such as \`./web\`, ${inside}`
const context = text(contextRule, /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]+$/)
const fileRule = 'a path below the context, such as `Dockerfile` or `docker/web.Dockerfile`'
const secretRule = `a file inside the folder of basalt.yaml, such as \`.npmrc\`, ${inside}`
const idRule = 'an id of letters, digits, `_`, `.` and `-`'

/** A folder with a Dockerfile: the short form of `dockerfileSchema`. */
export const dockerfileFolder = context

/** An image that is built by a Dockerfile. */
export const dockerfileSchema = z
  .strictObject(
    {
      context: context.meta({
        description: 'The folder that the Dockerfile can copy from; `.` is the folder of basalt.yaml.',
        examples: ['./web', '.'],
      }),
      dockerfile: text(fileRule, /^(?!\/)[^\u0000-\u001f\u007f]+$/)
        .optional()
        .meta({ description: 'The Dockerfile, relative to the context.', default: 'Dockerfile' }),
      target: text('the name of a stage', /^[A-Za-z0-9][\w.-]*$/)
        .optional()
        .meta({ description: 'The stage to build. Without it: the last one.', examples: ['production'] }),
      args: environmentVariables.optional().meta({
        description:
          'Values for `ARG`. They are no secrets: whoever has the release can read them. Numbers and booleans are taken as written.',
        examples: [{ NODE_VERSION: '22' }],
      }),
      secrets: z
        .record(
          text(idRule, /^[\w.-]+$/),
          text(secretRule, /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]+$/),
          {
            error: 'a block of ids and files, such as `npm: .npmrc`',
          },
        )
        .optional()
        .meta({
          description:
            'Files for `RUN --mount=type=secret,id=…`: they are never in a layer, a log or the context. Not with the classic builder.',
          examples: [{ npm: '.npmrc' }],
        }),
      ignore: list(z.string('a pattern').min(1, 'a pattern'), 'a list of patterns such as `**/*.test.js`')
        .optional()
        .meta({
          description: 'What to leave out of the context, as in .dockerignore and after it.',
          examples: [['docs', '**/*.test.js']],
        }),
    },
    { error: 'a block with `context`, `dockerfile`, `target` …' },
  )
  .meta({ title: 'with a Dockerfile' })

export type DockerfileManifest = z.infer<typeof dockerfileSchema>
