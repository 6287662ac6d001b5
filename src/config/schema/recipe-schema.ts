import * as z from 'zod'
import { defaults } from '../defaults.ts'
import {
  argumentsOf,
  containerPath,
  environmentVariables,
  labels,
  list,
  text,
  userName,
  writtenPattern,
} from './scalars.ts'

const baseRule =
  '`scratch`, `debian`, `debian:<suite>` (for example `debian:bookworm`), or an image with its tag or digest, such as `node:22-slim` (Debian’s own is `docker.io/library/debian:12`), or `sha256:…` of one in the store'
const basePattern =
  /^(?:scratch|debian(?::[a-z][a-z-]*)?|sha256:[0-9a-f]{64}|(?!debian:|sha256:)[A-Za-z0-9[](?:[^\s@]*@sha256:[0-9a-f]{64}|(?:[^\s@]*\/)?[^\s@/]*:\w[\w.-]{0,127}))$/
const packageRule = 'the name of a Debian package, such as `nodejs`'
const sourceRule = 'a path inside the folder of basalt.yaml, such as `web` or `./dist`, without `..`'
const source = text(sourceRule, /^(?!\/)(?!.*(?:^|\/)\.\.(?:\/|$))[^\u0000-\u001f\u007f]+$/)

const copyBlock = z
  .strictObject(
    {
      from: source.meta({
        description: 'A file or folder, relative to the folder of basalt.yaml. It may not lead out of it.',
        examples: ['web', 'dist/server.js'],
      }),
      to: containerPath.meta({
        description: 'The full path that it has in the image (a folder’s content lands in `to` itself).',
        examples: ['/app', '/app/server.js'],
      }),
      ignore: list(z.string('a pattern').min(1, 'a pattern'), 'a list of patterns such as `*.test.js`')
        .optional()
        .meta({
          description: 'What to leave out, as in .gitignore, relative to `from`.',
          examples: [['*.test.js', 'node_modules/']],
        }),
      mode: writtenPattern(/^0?[0-7]{3}$/, 'octal permission bits such as `"0644"`')
        .optional()
        .meta({
          description:
            'Octal permission bits of files; folders get `x` where `r` is set. Without it: 0755 for files whose owner may execute them, else 0644.',
          examples: ['0644', '0755'],
        }),
      owner: writtenPattern(/^[0-9]{1,10}(?::[0-9]{1,10})?$/, 'numeric `"uid:gid"` or a user id')
        .optional()
        .meta({ description: 'Numeric `uid:gid`, or one id for both.', default: defaults.copy.owner }),
    },
    { error: 'a block with `from` and `to`' },
  )
  .meta({ description: 'A file or folder to put into the image.' })

const copyRule =
  '`from:to`, such as `web:/app`, with `from` inside the folder of basalt.yaml and `to` absolute; or a block'
const copyShort = text(
  copyRule,
  /^(?!\/)(?!(?:[^:]*\/)?\.\.(?:[/:]|$))[^:\u0000-\u001f\u007f]+:\/[^:\u0000-\u001f\u007f]*$/,
)

/** The native recipe: how an image is built without Docker. */
export const recipeSchema = z.strictObject(
  {
    base: text(baseRule, basePattern).meta({
      description:
        'What the image starts from: `scratch` (nothing), `debian` or `debian:<suite>` (only the packages that you name and what they need), or an image, named as for `image`.',
      examples: ['debian', 'debian:bookworm', 'scratch', 'node:22-slim'],
    }),
    packages: list(text(packageRule, /^[a-z0-9][a-z0-9+.-]+$/), 'a list of Debian package names')
      .optional()
      .meta({
        description:
          'Debian packages, with all that they depend on; pinned by version and hash in basalt.lock. Only with a `debian` base.',
        examples: [['nodejs'], ['python3', 'ca-certificates']],
      }),
    copy: list(
      z.union([copyShort, copyBlock], {
        error: copyRule,
      }),
      'a list of `from:to` lines or blocks with `from` and `to`',
    )
      .optional()
      .meta({
        description: 'Files and folders to put into the image, in this order: `from:to`, or a block.',
        examples: [['web:/app']],
      }),
    env: environmentVariables.optional().meta({
      description: 'Environment variables of the image. Numbers and booleans are taken as written.',
      examples: [{ NODE_ENV: 'production' }],
    }),
    workdir: containerPath
      .optional()
      .meta({ description: 'The working directory of the process.', default: defaults.build.workdir }),
    entrypoint: argumentsOf('a list such as `[node, server.js]`, or one line without shell syntax')
      .optional()
      .meta({
        description:
          'The program and its arguments. One line is split at spaces (quotes are honoured); no shell runs.',
        examples: [['node', 'server.js']],
      }),
    user: userName.optional().meta({
      description: 'Who the process runs as: `uid`, `"uid:gid"` or a name from the image’s /etc/passwd.',
      examples: ['1000:1000'],
    }),
    labels: labels.optional().meta({ description: 'Labels of the image (OCI annotations of its config).' }),
  },
  { error: 'a recipe: a block with `base`, `packages`, `copy`, `entrypoint` …' },
)

export type RecipeManifest = z.infer<typeof recipeSchema>
