"""What is a secret and what only looks like one, line by line."""

from __future__ import annotations

import json

import pytest

from logship.secrets import BUILT_IN, Redactor

REDACTOR = Redactor()
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF-123"
PEM_TEXT = "MIIEpAIBAAKCAQEA7bq8MIIEpAIBAAKCAQEA7bq8\nqS1vpTVs5ZkLu3x4Gg==\n"
PEM_LINES = ["-----BEGIN PRIVATE KEY-----", *PEM_TEXT.split(), "-----END PRIVATE KEY-----"]
PEM_CUT = [
    "-----BEGIN PRIVATE KEY-----",
    "[redacted:private-key]",
    "[redacted:private-key]",
    "-----END PRIVATE KEY-----",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"

SECRETS = [
    # Keys of AWS.
    (f"using {KEY_ID} now", "using [redacted:aws-access-key-id] now"),
    (f"a%2F{KEY_ID}_ x\n{KEY_ID}", "a%2F[redacted:aws-access-key-id]_ x\n[redacted:aws-access-key-id]"),
    ('{"AccessKeyId":"ASIAIOSFODNN7EXAMPLE"}', '{"AccessKeyId":"[redacted:aws-access-key-id]"}'),
    (f"X-Amz-Credential={KEY_ID}%2F20261123", "X-Amz-Credential=[redacted:aws-access-key-id]%2F20261123"),
    (f"aws_secret_access_key = {SECRET_KEY}", "aws_secret_access_key = [redacted:aws-secret-key]"),
    (f"AWS Secret Access Key [None]: {SECRET_KEY}", "AWS Secret Access Key [None]: [redacted:aws-secret-key]"),
    (f"AWS Secret Access Key [****************MPLE]: {SECRET_KEY}", "AWS Secret Access Key [****************MPLE]: [redacted:aws-secret-key]"),
    (f"Secret access key: {SECRET_KEY}", "Secret access key: [redacted:aws-secret-key]"),
    (f'{{"SecretAccessKey": "{SECRET_KEY}"}}', '{"SecretAccessKey": "[redacted:aws-secret-key]"}'),
    (f"AWS_SECRET_ACCESS_KEY={SECRET_KEY} x", "AWS_SECRET_ACCESS_KEY=[redacted:aws-secret-key] x"),
    (f"{KEY_ID}:{SECRET_KEY}", "[redacted:aws-access-key-id]:[redacted:aws-secret-key]"),
    (f"aws configure set aws_secret_access_key {SECRET_KEY} --profile x", "aws configure set aws_secret_access_key [redacted:aws-secret-key] --profile x"),
    (f"ENV AWS_SECRET_ACCESS_KEY '{SECRET_KEY}'", "ENV AWS_SECRET_ACCESS_KEY '[redacted:aws-secret-key]'"),
    (f"<SecretAccessKey>{SECRET_KEY}</SecretAccessKey>", "<SecretAccessKey>[redacted:aws-secret-key]</SecretAccessKey>"),
    (f"&lt;SecretAccessKey&gt;{SECRET_KEY}&lt;/", "&lt;SecretAccessKey&gt;[redacted:aws-secret-key]&lt;/"),
    ("<SessionToken>AQoDYXdzEPT//wEXAMPLEtc</SessionToken>", "<SessionToken>[redacted:aws-session-token]</SessionToken>"),
    ("<SessionToken>\n AQoDYXdzEPT//wEXAMPLEtc\nQrmGdeeh==\n</SessionToken>", "<SessionToken>\n [redacted:aws-session-token]\n</SessionToken>"),
    ("aws_session_token=FwoGZXIvYXdzEBYaDK", "aws_session_token=[redacted:aws-session-token]"),
    ("x-amz-security-token: IQoJb3JpZ2luX2VjEJr", "x-amz-security-token: [redacted:aws-session-token]"),
    ("?X-Amz-Security-Token=IQoJb3Jp%2FZ2lu&X-Amz-Date=1", "?X-Amz-Security-Token=[redacted:aws-session-token]&X-Amz-Date=1"),
    ("got IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJG end", "got [redacted:aws-session-token] end"),
    # Private keys.
    (f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_TEXT}-----END RSA PRIVATE KEY-----\nnext",
     "-----BEGIN RSA PRIVATE KEY-----[redacted:private-key]-----END RSA PRIVATE KEY-----\nnext"),
    (json.dumps({"k": f"-----BEGIN PRIVATE KEY-----\n{PEM_TEXT}-----END PRIVATE KEY-----", "x": 1}),
     '{"k": "-----BEGIN PRIVATE KEY-----[redacted:private-key]-----END PRIVATE KEY-----", "x": 1}'),
    (json.dumps(json.dumps({"k": f"-----BEGIN EC PRIVATE KEY-----\n{PEM_TEXT}-----END EC PRIVATE KEY-----"})),
     json.dumps(json.dumps({"k": "-----BEGIN EC PRIVATE KEY-----[redacted:private-key]-----END EC PRIVATE KEY-----"}))),
    (f"key:\n-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM_TEXT}", "key:\n-----BEGIN OPENSSH PRIVATE KEY-----[redacted:private-key]\n"),
    ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F\n\nMIIEpAIBAAKC\n-----END RSA PRIVATE KEY-----",
     "-----BEGIN RSA PRIVATE KEY-----[redacted:private-key]-----END RSA PRIVATE KEY-----"),
    (f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F\n\n{PEM_TEXT}",
     "-----BEGIN RSA PRIVATE KEY-----[redacted:private-key]\n"),
    (json.dumps({"k": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{PEM_TEXT.strip()}"}),
     '{"k": "-----BEGIN PGP PRIVATE KEY BLOCK-----[redacted:private-key]"}'),
    *((break_.join(PEM_LINES), "-----BEGIN PRIVATE KEY-----[redacted:private-key]-----END PRIVATE KEY-----")
      for break_ in (r"\u000a", r"\012", "#012", "%0A", "<br>", "\n> ", "\n# ", "\x1b[0m\n\x1b[32m", "\n2026-11-23 app-1: ")),
    ("-----BEGIN+PRIVATE+KEY-----%0AMIIEpAIBAAKC%2B%0A-----END+PRIVATE+KEY-----", "-----BEGIN+PRIVATE+KEY-----[redacted:private-key]-----END+PRIVATE+KEY-----"),
    (json.dumps({"k": PEM_LINES, "x": ["a"]}), json.dumps({"k": PEM_CUT, "x": ["a"]})),
    (str([f"{line}\n" for line in PEM_LINES]), str([f"{line}\n" for line in PEM_CUT])),
    # Headers.
    (f"cookie {JWT}; path=/", "cookie [redacted:jwt]; path=/"),
    ("sent eyJhbGciOiJkaXIifQ..QmFzZTY0aXY.Y2lwaGVy.dGFn", "sent [redacted:jwt]"),
    (f'{{"id":"{JWT}"}}', '{"id":"[redacted:jwt]"}'),
    ("Authorization: Bearer mF_9.B5f-4.1JqM", "Authorization: Bearer [redacted:bearer]"),
    ("authorization=bearer abcdef", "authorization=bearer [redacted:bearer]"),
    ('{"Authorization":["Bearer abc123"],"n":1}', '{"Authorization":["Bearer [redacted:bearer]"],"n":1}'),
    (r'{"m":"{\"authorization\":\"Bearer abc123\"}"}', r'{"m":"{\"authorization\":\"Bearer [redacted:bearer]\"}"}'),
    ("curl -H 'Authorization: Bearer abc123' https://x", "curl -H 'Authorization: Bearer [redacted:bearer]' https://x"),
    ("[(b'authorization', b'Bearer abc123')]", "[(b'authorization', b'Bearer [redacted:bearer]')]"),
    ("sent Bearer mF9B5f41JqMmF9B5f41JqM", "sent Bearer [redacted:bearer]"),
    ("Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l", "Authorization: Basic [redacted:basic-auth]"),
    ('{"authorization":"Basic YWxhZGRpbjpvcGVuc2VzYW1l"}', '{"authorization":"Basic [redacted:basic-auth]"}'),
    ('curl -H "Authorization: Basic YTpi" x', 'curl -H "Authorization: Basic [redacted:basic-auth]" x'),
    ("header Basic YWxhZGRpbjpvcGVuc2VzYW1l", "header Basic [redacted:basic-auth]"),
    ("curl -u admin:hunter2 https://x", "curl -u admin:[redacted:basic-auth] https://x"),
    ('Authorization: Bearer "opaque123token456"', 'Authorization: Bearer "[redacted:bearer]"'),
    ('{"Authorization":"Bearer ","n":"opaque123token456","Proxy-Authorization":"Bearer abc"}',
     '{"Authorization":"Bearer ","n":"opaque123token456","Proxy-Authorization":"Bearer [redacted:bearer]"}'),
    ("curl -uadmin:hunter2 https://x", "curl -uadmin:[redacted:basic-auth] https://x"),
    ("curl -su admin:hunter2 https://x:443/a", "curl -su admin:[redacted:basic-auth] https://x:443/a"),
    ("curl -U bob:pw1 --user 'eve:pw2' x", "curl -U bob:[redacted:basic-auth] --user 'eve:[redacted:basic-auth]' x"),
    ("['curl', '--proxy-user', 'bob:hunter2']", "['curl', '--proxy-user', 'bob:[redacted:basic-auth]']"),
    ("Authorization: Token 9944b09199c62bcf9418ad846dd0e4bb", "Authorization: Token [redacted:authorization]"),
    # URLs.
    ("postgres://bob:s3cr3t@db/shop", "postgres://bob:[redacted:url-password]@db/shop"),
    ("redis://:pw@cache:6379/0", "redis://:[redacted:url-password]@cache:6379/0"),
    ("amqp://a:p@ss@mq/", "amqp://a:[redacted:url-password]@mq/"),
    ("http://bob:hunter2@[2001:db8::7]:9200/_search", "http://bob:[redacted:url-password]@[2001:db8::7]:9200/_search"),
    ("mongodb://bob:1,2@h1:27017,h2:27017/x?y=a@b", "mongodb://bob:[redacted:url-password]@h1:27017,h2:27017/x?y=a@b"),
    ("amqp://a:pa/ss@mq/", "amqp://a:[redacted:url-password]@mq/"),
    (r'{"u":"https:\/\/a:pw@h\/x"}', r'{"u":"https:\/\/a:[redacted:url-password]@h\/x"}'),
    (r'{"u":"https://a:p\u0026w@h/x"}', r'{"u":"https://a:[redacted:url-password]@h/x"}'),
    # Pairs.
    ("password=hunter2 user=bob", "password=[redacted:password] user=bob"),
    ("password=hunter2,user=bob", "password=[redacted:password],user=bob"),
    ("Password: hunter2", "Password: [redacted:password]"),
    ("password: swordfish", "password: [redacted:password]"),
    ("User(name=a, passwd=x1)", "User(name=a, passwd=[redacted:password])"),
    ("password=p,w;x)y", "password=[redacted:password]"),
    ('password="two words" next', 'password="[redacted:password]" next'),
    (r'password="a\"b" next', 'password="[redacted:password]" next'),
    ("MYSQL_PWD=x1 PGPASSWORD='y'", "MYSQL_PWD=[redacted:password] PGPASSWORD='[redacted:password]'"),
    ("SMTP_PASS=hunter2", "SMTP_PASS=[redacted:password]"),
    ('{"user":"bob","pass":"hunter2"}', '{"user":"bob","pass":"[redacted:password]"}'),
    ("{'pass': 'hunter2', 'n': 1}", "{'pass': '[redacted:password]', 'n': 1}"),
    ("auth: { user: 'bob', pass: 'hunter2' }", "auth: { user: 'bob', pass: '[redacted:password]' }"),
    ("dbPass=hunter2 userPass=hunter3", "dbPass=[redacted:password] userPass=[redacted:password]"),
    ("smtpPass: 'hunter2'", "smtpPass: '[redacted:password]'"),
    ('{"smtpPass":"hunter2"}', '{"smtpPass":"[redacted:password]"}'),
    ("db.pass=hunter2 spring.datasource.pass=hunter3", "db.pass=[redacted:password] spring.datasource.pass=[redacted:password]"),
    ("GET /login?pass=hunter2&user=bob", "GET /login?pass=[redacted:password]&user=bob"),
    ("run --pass hunter2 --host x", "run --pass [redacted:password] --host x"),
    ("run --smtp-pass 'hunter2' --pass=hunter3", "run --smtp-pass '[redacted:password]' --pass=[redacted:password]"),
    ("$ummer: password=$ummer2024", "$ummer: password=[redacted:password]"),
    ("ALTER USER bob WITH PASSWORD 'hunter2'", "ALTER USER bob WITH PASSWORD '[redacted:password]'"),
    ("SET PASSWORD='hunter''2x', n='a''b'", "SET PASSWORD='[redacted:password]', n='a''b'"),
    ("password='it''s' next", "password='[redacted:password]' next"),
    ("run --db-password hunter2 --host x", "run --db-password [redacted:password] --host x"),
    ("CREATE USER bob IDENTIFIED BY 'x'", "CREATE USER bob IDENTIFIED BY '[redacted:password]'"),
    ("secret=abc=def9 x", "secret=[redacted:secret] x"),
    ("db.password = hunter2", "db.password = [redacted:password]"),
    ("password = a.b_c9", "password = [redacted:password]"),
    ("password=getpass(x1)", "password=[redacted:password])"),
    ("run --password=hunter2", "run --password=[redacted:password]"),
    ('{"password":"hunter2","user":"bob"}', '{"password":"[redacted:password]","user":"bob"}'),
    ('{"newPassword" : "hun\\"ter2\\\\" , "n":1}', '{"newPassword" : "[redacted:password]" , "n":1}'),
    ('{"password":1234,"l":[{"pwd":-5.5e3},7]}', '{"password":"[redacted:password]","l":[{"pwd":"[redacted:password]"},7]}'),
    (r'{"m":"{\"password\":\"hun\\\"ter2\",\"n\":1}"}', r'{"m":"{\"password\":\"[redacted:password]\",\"n\":1}"}'),
    (r'{"m":"{\"password\":77}"}', r'{"m":"{\"password\":\"[redacted:password]\"}"}'),
    (r'{"m":"said password=abc\nuser=bob"}', r'{"m":"said password=[redacted:password]\nuser=bob"}'),
    (r'{"m":"?password=abc\u0026user=bob"}', r'{"m":"?password=[redacted:password]\u0026user=bob"}'),
    ("{'password': 'hunter2', 'n': 1}", "{'password': '[redacted:password]', 'n': 1}"),
    (""":password=>"hunter2", :n=>1""", """:password=>"[redacted:password]", :n=>1"""),
    ("GET /login?user=a&password=hun%20ter2&x=1", "GET /login?user=a&password=[redacted:password]&x=1"),
    ("user[password]=hunter2&n=1", "user[password]=[redacted:password]&n=1"),
    ("user[password]=john.doe&n=1", "user[password]=[redacted:password]&n=1"),
    (r'{"m":"?user=a\u0026pass=hunter2","n":1}', r'{"m":"?user=a\u0026pass=[redacted:password]","n":1}'),
    ("user%5Bpassword%5D=hunter2&n=1", "user%5Bpassword%5D=[redacted:password]&n=1"),
    ("q=password%3Dhunter2%26user%3Dbob", "q=password%3D[redacted:password]%26user%3Dbob"),
    ("%22password%22%3A%22hunter2%22%2C", "%22password%22%3A%22[redacted:password]%22%2C"),
    ('{"passwordConfirmation":"hunter2","n":1}', '{"passwordConfirmation":"[redacted:password]","n":1}'),
    ('{"passwordConfirm":"hunter2"}', '{"passwordConfirm":"[redacted:password]"}'),
    ('DB_PASSWORD_1=hunter2 {"api-key-2":"12ab34cd"}', 'DB_PASSWORD_1=[redacted:password] {"api-key-2":"[redacted:api-key]"}'),
    ("newPasswordRepeat=hunter2&passwordAgain=hunter2", "newPasswordRepeat=[redacted:password]&passwordAgain=[redacted:password]"),
    ("PASSWORD_CONFIRMATION=hunter2 PASSWORD_HASH=$2b$12$abc", "PASSWORD_CONFIRMATION=[redacted:password] PASSWORD_HASH=[redacted:password]"),
    ('{"passwordHash":"$2b$12$abc"}', '{"passwordHash":"[redacted:password]"}'),
    ("Driver=x;Uid=bob;Pwd={hunter2};Port=1", "Driver=x;Uid=bob;Pwd=[redacted:password];Port=1"),
    ("password=<hunter2> password=(hunter2) password=[hunter2] x", "password=[redacted:password] password=[redacted:password] password=[redacted:password] x"),
    ("password: `hunter2`, user: `bob`", "password: [redacted:password], user: `bob`"),
    ('password="<hunter2>" x', 'password="[redacted:password]" x'),
    ("password=<hidden>more", "password=[redacted:password]"),
    ("postgres://bob:[hunter2]@db", "postgres://bob:[redacted:url-password]@db"),
    ('{"password":"wrong","newPassword":"user"}', '{"password":"[redacted:password]","newPassword":"[redacted:password]"}'),
    ("['mysql', '-u', 'root', '--password', 'hunter2', 'db']", "['mysql', '-u', 'root', '--password', '[redacted:password]', 'db']"),
    ('["pg_dump","--password","hunter2"]', '["pg_dump","--password","[redacted:password]"]'),
    ('["x", "--smtp-pass", "hunter2", "--api-key", "12ab34cd"]', '["x", "--smtp-pass", "[redacted:password]", "--api-key", "[redacted:api-key]"]'),
    ('{"X-Api-Key":["12ab34cd","56ef78ab"],"n":1}', '{"X-Api-Key":["[redacted:api-key]","[redacted:api-key]"],"n":1}'),
    ('{"password":["hunter2", "", "****", "hunter3"],"l":["a"]}', '{"password":["[redacted:password]", "", "****", "[redacted:password]"],"l":["a"]}'),
    ("{'password': ['is too short', 'hunter2']}", "{'password': ['is too short', '[redacted:password]']}"),
    ("password=self.hunter2 password=password", "password=[redacted:password] password=[redacted:password]"),
    ("secret=/Ab3dEf9/hIj0kLm", "secret=[redacted:secret]"),
    ("auth_token: invalid_grant7", "auth_token: [redacted:token]"),
    ("client_secret=s3cr3tvalue", "client_secret=[redacted:secret]"),
    ('{"clientSecret":"abcdefgh"}', '{"clientSecret":"[redacted:secret]"}'),
    ("x-api-key: 12ab34cd", "x-api-key: [redacted:api-key]"),
    ("AccountKey=abcdefgh123==;EndpointSuffix=x", "AccountKey=[redacted:api-key];EndpointSuffix=x"),
    ("access_token=ya29abcdef&next=1", "access_token=[redacted:token]&next=1"),
    ('{"refreshToken":"abc-123-def","n":1}', '{"refreshToken":"[redacted:token]","n":1}'),
    ('{"backend_token":"abc-123-def"}', '{"backend_token":"[redacted:token]"}'),
    ("curl -H X-Auth-Token:abcd1234 x", "curl -H X-Auth-Token:[redacted:token] x"),
    ("X-Vault-Token:s.abcdef1234", "X-Vault-Token:[redacted:token]"),
    ("client_secret:abcd1234,n:1", "client_secret:[redacted:secret],n:1"),
    ("clientSecret:abcd1234", "clientSecret:[redacted:secret]"),
    ("token:abc123xyz9876543210", "token:[redacted:token]"),
    ("héllo password=日本語 ünd", "héllo password=[redacted:password] ünd"),
    # Vendors.
    (f"ghp_{LETTERS[:36]}", "[redacted:github-token]"),
    (f"github_pat_{LETTERS}", "[redacted:github-token]"),
    (f"glpat-{LETTERS[:20]}", "[redacted:gitlab-token]"),
    (f"xoxb-{LETTERS[:20]}", "[redacted:slack-token]"),
    (f"sk_live_{LETTERS[:20]}", "[redacted:stripe-key]"),
    (f"AIza{LETTERS[:35]}", "[redacted:google-key]"),
    (f"npm_{LETTERS[:36]}", "[redacted:npm-token]"),
    (f"SG.{LETTERS[:22]}.{LETTERS}", "[redacted:sendgrid-key]"),
    (f"pypi-AgE{LETTERS}", "[redacted:pypi-token]"),
]  # fmt: skip

FALSE_ALARMS = [
    '{"password_reset": true, "passwordChanged":"yes","has_password":false}',
    '{"passwordConfirmed":"yesterday","passwordConfirmation":false,"passwordHash":null}', "passwordHashing=argon2id",
    "token_count=12 tokens=512 max_tokens=4096 tokenizer=bpe",
    '{"token_type":"bearer","token":12,"expires_in":3600}',
    "Basic usage of the command", "basic auth is off", "Bearer token is missing", "Bearer authentication-required-here",
    'WWW-Authenticate: Bearer realm="x", error="invalid_token"',
    "password=", "password= user=bob", 'password="" x', "password='' x", '{"password":"","x":1}', '{"password":null}',
    "password: ****", 'password="xxxx"', "password=[FILTERED]", 'password="<hidden>"', "password: ${DB_PASSWORD}",
    "password=[FILTERED 12] password=<redacted> password=(not set) password=<not-set> password={}", '{"password":"(sensitive value)"}',
    "password={password} pwd={self._pw} pwd={0} db_password={{ vault_password }} password=<your-password>", '{"password":"{{ lookup.pw | quote }}"}',
    "password: <br> x", "<td>password:</td>", 'f"postgres://bob:{args.pw}@db"', "password = (yield)", "token=[1,2,3,4] token: <0x0A0B0C>",
    "UPDATE users SET password = ? WHERE id = ?", "SET password=$1,name=$2", "SET password = :password, pwd=:new_pw", "SET password=%s, token=@token",
    '{"password":"invalid"}', '{"password":[1,2],"pwd":{"a":1}}',
    '{"errors":{"password":["is too short","must have a digit"],"token":["can\'t be blank"]}}', '{"password":["invalid","required"]}',
    "tokens: 5", "token:expired token:12345678 token:IDENTIFIER_2 token:eof", "auth_token:expired trace_token:5 csrf-token:v2.1",
    "docker secret:my-secret-2026-prod-db", "user:token:123e4567-e89b-12d3-a456-426614174000 csrf_token:42:user",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod1/db2-a1B2c3", "pulled ghcr.io/acme/auth-token:9f2c1ab4",
    "nextToken:AAAAbbbb1111222233334444", "sha:da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "secret access key 0123456789abcdef0123456789abcdef01234567", "the secret access key is wrong: AccessDenied",
    "<SecretAccessKey>****</SecretAccessKey>", "<SessionToken>expired</SessionToken>", "SET password='', name='O''Brien'",
    '["--password",1]', '["--password","****"]',
    "connect(user=user, password=self._password, db=1)", "connect(password=settings.DB_PASSWORD)", "call(db_password=db_password)",
    "token: invalid_grant", "secret=/run/secrets/db", "private_key=/etc/ssl/private/app.pem", '{"token":"~/.config/token"}',
    "password=$DB_PASSWORD", "password=%(password)s", '{"password":"[redacted:password]"}',
    "calling secretsmanager", "author=bob authority=x authorization failed", "Authorization: required",
    "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000 5b27baf9c1d24a0e8f3b6d7e9a012345",
    "commit da39a3ee5e6b4b0d3255bfef95601890afd80709", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    f"{KEY_ID[:-1]}", "BAKIA1", "AKIA", f"TASIA{KEY_ID[4:]} Q{KEY_ID}",
    "GET http://[::1]:8080/users?mail=bob@example.com", "http://[2001:db8::7]:9200/_search?q=@timestamp:x", "http://svc:http/api/proxy@2",
    "kafka://b1:9092,b2:9092/x@y", f"oci://nginx:1.25@sha256:{64 * 'a'}", f"docker://nginx:stable@sha256:{64 * 'a'}",
    "curl -X PUT https://x:8080/a -H User:bob",
    '{"next_token": null, "nextToken":"abcdefghijk","NextForwardToken":"f/3456789","page_token":"abcdefg1"}',
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
    '{"secret":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"}',
    "password: must be at least 8 characters", "Invalid password: incorrect.", '{"password":"required"}',
    "unexpected token: SELECT at line 1", "Unexpected token: '<'", "token: expected", "cache session:token:42",
    "PWD=/home/app OLDPWD=/", '{"pwd":"/srv/app"}',
    "http://localhost:8080/users/@me", "https://example.com/a:b@c", "mailto:a@b.c", "https://***:***@proxy", "postgres://bob:${PW}@db", "git@github.com:a/b.git",
    "-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA7bq8\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----",
    json.dumps(["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"]), json.dumps({"k": "-----BEGIN PRIVATE KEY-----", "id": 1}),
    "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9...", "a.b.c", "passed=3 first_pass=12 pass: 3, fail: 0",
    "two_pass=enabled render-pass=shadow lowPass=filter", "low_pass: filter", '{"pass":3,"fail":0}', '{"pass":true,"first-pass":"complete"}',
    "pass: checked, fail: none", "bypass: 'cache'", "did not pass 'check 1'", "keyboard: qwerty key=value",
    "    token = tokenizer.read()", "    access_token = self._credentials.get_access_token(", "and other.token == self.token",
    "call(client_token=client_token, n=1)", "def check(pwhash: str, password: str) -> bool:", "token: Optional[str] = None",
    "    password = getpass.getpass(prompt)", "identified by 'name'", "    secret = secrets[name]",
    '{"msg":"bad password:","x":"y"}', '{"msg":"no password: ","n":[1,{"x":"y"}]}', '["token=",1,2,"x"]',
    r'{"m":"{\"a\":\"password:\",\"b\":\"c\"}"}', "{'msg': 'bad password:', 'x': 'y'}",
]  # fmt: skip


@pytest.mark.parametrize(("line", "clean"), SECRETS, ids=range(len(SECRETS)))
def test_a_secret_is_taken_out(line: str, clean: str) -> None:
    """The secret goes, whatever stands around it stays."""
    assert REDACTOR.redact(line) == clean


@pytest.mark.parametrize("line", FALSE_ALARMS, ids=range(len(FALSE_ALARMS)))
def test_what_only_looks_like_a_secret_stays(line: str) -> None:
    """The very same text comes back."""
    assert REDACTOR.redact(line) is line


@pytest.mark.parametrize(("line", "clean"), SECRETS, ids=range(len(SECRETS)))
def test_a_secret_is_taken_out_of_strings_of_json(line: str, clean: str) -> None:
    """A line that another program puts into JSON, and that into JSON again, keeps its secret no better."""
    for layers in (1, 2):
        deep, expected = line, clean
        for _ in range(layers):
            deep, expected = json.dumps({"a": deep, "b": 1}), json.dumps({"a": expected, "b": 1})
        found = json.loads(REDACTOR.redact(deep))
        for _ in range(layers - 1):
            found = json.loads(found["a"])

        assert (found["a"], found["b"]) == (clean, 1)


def test_every_rule_has_a_case() -> None:
    """No built-in rule stands untested."""
    assert {rule.name for rule in BUILT_IN} == {
        name for name in REDACTOR.counts if any(f"[redacted:{name}]" in clean for _, clean in SECRETS)
    }
