// A certified OpenID provider (oidc-provider from npm) for tests, in which everybody is Ann, who agrees to
// everything. It listens on 127.0.0.1 only, says on which port, and ends when its standard input does.
//
//     node server.mjs FOLDER PUBLIC_URL

import http from 'node:http';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const [folder, publicUrl] = process.argv.slice(2);
const library = path.resolve(folder, 'node_modules/oidc-provider/lib/index.js');
const { Provider } = await import(pathToFileURL(library));

const ann = {
  sub: 'uid-ann',
  name: 'Ann Admin',
  email: 'ann@example.org',
  email_verified: true,
  groups: ['signin', 'admin'],
};

const configuration = {
  clients: [{
    client_id: 'backdrop',
    client_secret: 'dev-secret',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: [`${publicUrl}/_user/authorized`],
    post_logout_redirect_uris: [`${publicUrl}/_user/signed_out`],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
  cookies: { keys: ['for tests only'] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, accountId) => ({ accountId, claims: async () => ({ ...ann, sub: accountId }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: async () => true,
  pkce: { required: () => true },
  // Each refresh token is good for one use.
  rotateRefreshToken: true,
};

/** Answers what a person would be asked: who they are, and whether they agree. */
async function agree(provider, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: ann.sub } });
  }
  const known = grantId && await provider.Grant.find(grantId);
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    return agree(provider, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  console.log(issuer);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
