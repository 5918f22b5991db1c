import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

const HELPER_MS = 15_000;
const MAX_HELPER_BYTES = 64 * 1024;
/** What a helper answers in place of a user's name where its secret is an identity token. */
const TOKEN_USER = '<token>';
const DOCKER_HUB_KEYS = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'];

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** True: `password` is a refresh token of OAuth 2. */
  readonly isToken: boolean;
}

/** Finds the credentials of a registry; null where there are none. @throws Error where they cannot be read */
export type CredentialSource = (registry: string) => Promise<Credentials | null>;

export const NO_CREDENTIALS: CredentialSource = () => Promise.resolve(null);

interface DockerConfig {
  readonly auths?: Record<
    string,
    { auth?: string; username?: string; password?: string; identitytoken?: string }
  >;
  readonly credHelpers?: Record<string, string>;
  readonly credsStore?: string;
}

/** What `docker login` left for this user: `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. */
export const userCredentials: CredentialSource = async (registry) => {
  const file = join(process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'config.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const config = parseDockerConfig(text);
  if (typeof config === 'string') throw new Error(`${file} ${config}`);
  const keys = keysOf(registry);
  const helper =
    keys.map((key) => config.credHelpers?.[key]).find((name) => name !== undefined) ?? config.credsStore;
  if (helper !== undefined && helper !== '') {
    for (const key of keys) {
      const found = await askHelper(helper, key);
      if (found !== null) return found;
    }
  }
  return writtenCredentials(config, registry);
};

/**
 * Credentials that stand in the text itself, as in a Secret of type kubernetes.io/dockerconfigjson: helpers
 * are programs of the machine and nothing a Secret may start.
 *
 * @returns the source, or what is wrong with the text
 */
export function storedCredentials(text: string): CredentialSource | string {
  const config = parseDockerConfig(text);
  if (typeof config === 'string') return config;
  return (registry) => Promise.resolve(writtenCredentials(config, registry));
}

function parseDockerConfig(text: string): DockerConfig | string {
  try {
    const config = JSON.parse(text) as unknown;
    if (typeof config === 'object' && config !== null && !Array.isArray(config))
      return config as DockerConfig;
  } catch {
    // The parser's message quotes the text, which holds secrets.
  }
  return 'is not a config.json of Docker';
}

function writtenCredentials({ auths = {} }: DockerConfig, registry: string): Credentials | null {
  const keys = keysOf(registry);
  const entry = Object.entries(auths).find(([key]) => keys.includes(key))?.[1];
  if (entry === undefined) return null;
  if (entry.identitytoken) return { username: '', password: entry.identitytoken, isToken: true };
  const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const username = entry.username ?? decoded.slice(0, Math.max(colon, 0));
  const password = entry.password ?? decoded.slice(colon + 1);
  return username === '' ? null : { username, password, isToken: false };
}

/** The ways in which a registry is written as a key. */
function keysOf(registry: string): string[] {
  if (registry === 'docker.io') return DOCKER_HUB_KEYS;
  return [
    registry,
    `https://${registry}`,
    `https://${registry}/`,
    `http://${registry}`,
    `https://${registry}/v2/`,
    `https://${registry}/v1/`,
  ];
}

/** The protocol of docker-credential-helpers: the server on standard input, JSON on standard output. */
function askHelper(name: string, server: string): Promise<Credentials | null> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name))
    return Promise.reject(new Error('the credential helper in config.json has no name of a program'));
  const program = `docker-credential-${name}`;
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], timeout: HELPER_MS });
    let output = '';
    child.on('error', (error) => reject(new Error(`${program} cannot be started: ${error.message}`)));
    child.stdin.on('error', () => undefined);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > MAX_HELPER_BYTES) child.kill('SIGKILL');
    });
    child.on('close', (code, signal) => {
      if (signal !== null) return reject(new Error(`${program} gave no answer in time`));
      // Helpers end with 1 where they know nothing of the server.
      if (code !== 0) return resolve(null);
      try {
        const { Username, Secret } = JSON.parse(output) as { Username?: unknown; Secret?: unknown };
        if (typeof Secret !== 'string' || Secret === '') return resolve(null);
        resolve({ username: String(Username), password: Secret, isToken: Username === TOKEN_USER });
      } catch {
        reject(new Error(`${program} answers something that is no JSON`));
      }
    });
    child.stdin.end(`${server}\n`);
  });
}
