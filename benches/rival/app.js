// The stack of stacks/protected-api.yaml as its tutorial has it, in the CDK's fastest form: plain JavaScript, ready code, no bundling.
const cdk = require('aws-cdk-lib');
const cognito = require('aws-cdk-lib/aws-cognito');
const lambda = require('aws-cdk-lib/aws-lambda');
const gateway = require('aws-cdk-lib/aws-apigatewayv2');
const { HttpUserPoolAuthorizer } = require('aws-cdk-lib/aws-apigatewayv2-authorizers');
const { HttpLambdaIntegration } = require('aws-cdk-lib/aws-apigatewayv2-integrations');

const app = new cdk.App();
const stack = new cdk.Stack(app, 'protected-api');
const pool = new cognito.UserPool(stack, 'Users', {
  userPoolName: 'my-user-pool',
  removalPolicy: cdk.RemovalPolicy.DESTROY,
  selfSignUpEnabled: true,
  signInAliases: { email: true },
  autoVerify: { email: true },
  passwordPolicy: { minLength: 6, requireLowercase: false, requireDigits: false, requireUppercase: false, requireSymbols: false },
  accountRecovery: cognito.AccountRecovery.EMAIL_ONLY,
});
const client = new cognito.UserPoolClient(stack, 'Web', {
  userPool: pool,
  authFlows: { adminUserPassword: true, userPassword: true, custom: true, userSrp: true },
  supportedIdentityProviders: [cognito.UserPoolClientIdentityProvider.COGNITO],
});
const protectedFunction = new lambda.Function(stack, 'Protected', {
  runtime: lambda.Runtime.PROVIDED_AL2023,
  handler: 'bootstrap',
  code: lambda.Code.fromAsset('code'),
});
const api = new gateway.HttpApi(stack, 'Api', { apiName: 'my-api' });
api.addRoutes({
  path: '/protected',
  methods: [gateway.HttpMethod.GET],
  integration: new HttpLambdaIntegration('Integration', protectedFunction),
  authorizer: new HttpUserPoolAuthorizer('user-pool-authorizer', pool, { userPoolClients: [client] }),
});
new cdk.CfnOutput(stack, 'region', { value: stack.region });
new cdk.CfnOutput(stack, 'userPoolId', { value: pool.userPoolId });
new cdk.CfnOutput(stack, 'userPoolClientId', { value: client.userPoolClientId });
new cdk.CfnOutput(stack, 'apiUrl', { value: api.apiEndpoint });
