/** A provider of OpenID Connect that weir did not write: the library oidc-provider, with its own pages for logging in. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { atEnd } from './cleanup.ts';

export interface ProviderOptions {
  readonly redirectUri: string;
  readonly afterLogout: string;
  /** Seconds. */
  readonly accessToken?: number;
}

export class IdentityProvider {
  readonly issuer: string;
  /** What its token endpoint was asked, by `grant_type`. */
  readonly grants: string[] = [];
  /** How many milliseconds its token endpoint takes. */
  delayMs = 0;
  readonly #stop: () => void;

  private constructor(issuer: string, stop: () => void) {
    this.issuer = issuer;
    this.#stop = stop;
  }

  static async start({
    redirectUri,
    afterLogout,
    accessToken = 3600,
  }: ProviderOptions): Promise<IdentityProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: 'sh:op',
          client_secret: 'the secret of the shop',
          redirect_uris: [redirectUri],
          post_logout_redirect_uris: [afterLogout],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      ],
      cookies: { keys: ['only for tests'] },
      features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
      pkce: { required: () => true },
      issueRefreshToken: async () => true,
      rotateRefreshToken: true,
      ttl: {
        AccessToken: accessToken,
        IdToken: 3600,
        RefreshToken: 3600,
        Session: 3600,
        Grant: 3600,
        Interaction: 600,
      },
    });
    const identity = new IdentityProvider(issuer, () => {
      server.closeAllConnections();
      server.close();
    });
    provider.use(async (context, next) => {
      if (context.path === '/token' && identity.delayMs > 0)
        await new Promise((resolve) => setTimeout(resolve, identity.delayMs));
      await next();
      if (context.path === '/token') identity.grants.push(String(context.oidc?.params?.['grant_type']));
    });
    server.on('request', provider.callback());
    atEnd(() => identity.stop());
    return identity;
  }

  stop(): void {
    this.#stop();
  }
}
