//! What CloudFormation calls for each type of resource, to make, read, change and remove it.
//!
//! The actions are those of `handlers` in the type's schema in CloudFormation's registry, which `aws cloudformation
//! describe-type --type RESOURCE --type-name NAME` prints; a test holds the table against the schemas. What a type needs
//! for one property only is granted with that property. The forms of the ARNs, and which actions have none, are those of
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.

/// One type of resource.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What it needs in any case.
    pub(super) always: &'static [Need],
    /// What it needs where it has a property, as a JSON pointer into its properties.
    pub(super) with: &'static [(&'static str, Need)],
}

/// A thing that is needed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// These actions.
    Act(&'static str, &'static [&'static str], On),
    /// To give the role in the property to a service.
    Pass(&'static str, &'static str),
    /// Something that is not known here.
    Unknown,
}

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// IAM knows no resources for it.
    Anything,
    /// The resource by its name: what its ARN has before it, the property that names it, and the most characters.
    Named(&'static str, &'static str, usize),
    /// A secret, whose ARN ends with six characters, and whose name is made up without the stack's.
    Secret,
    /// The same, once it has the stack's tag.
    StackSecret,
    /// A log group; IAM has its ARN with something behind.
    LogGroup,
    /// The function that a property of this name names.
    Function(&'static str),
    /// The user pools of the stack. Their ids are made up, so it is the tag that tells them.
    StackPools,
    /// Any user pool: what has no tags yet.
    Pools,
    /// A path of API Gateway, whose ARNs have no account.
    Path(&'static str),
    /// The same, of what has the stack's tag, or has it from what it is part of.
    StackPath(&'static str),
    /// A custom domain and what lies below it.
    Domain,
    /// The roles in the property.
    Role,
    /// The ARNs in the property.
    Listed,
    /// The keys in the property, as far as a service uses them for the caller.
    Key(&'static str),
    /// The service-linked role of a service.
    Linked(&'static str),
    /// The buckets' objects.
    Assets,
}

use Need::{Act, Pass, Unknown};
use On::{Anything, Assets, Domain, Function, Key, Linked, Listed, LogGroup, Named, Path, Pools, Role, Secret};
use On::{StackPath, StackPools, StackSecret};

const API_GATEWAY: &str = "apigateway.amazonaws.com";

const GET_PATCH: &[&str] = &["apigateway:GET", "apigateway:PATCH"];
const POST: &[&str] = &["apigateway:POST"];
const CRUD: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"];
/// Of what is made where it lies, not where its like lie.
const RUD: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:PUT"];
const PUT_GET_DELETE: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:PUT"];
const POST_GET_DELETE: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:POST"];
const POST_GET_PATCH_DELETE: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"];

/// Parts of a REST API. They have the tags of the API: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html>.
const REST: On = StackPath("/restapis/*");
/// Parts of HTTP and WebSocket APIs. They have no tags at all, so those of other stacks cannot be told from them.
const PARTS: On = Path("/apis/*/*");
/// An HTTP or WebSocket API, which has ten characters, and not its parts.
const API: On = StackPath("/apis/??????????");
/// Tags are set at a path of their own, which holds an encoded ARN.
const TAGS: Need = Act("ApiTags", PUT_GET_DELETE, Path("/tags/*"));
const TAGS_V2: Need = Act("ApiTags", POST_GET_DELETE, Path("/tags/*"));
/// Made when an account has its first custom domain: <https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html>.
const GATEWAY_ROLE: Need = Act("ServiceRole", LINK, Linked("ops.apigateway.amazonaws.com"));
const LINK: &[&str] = &["iam:CreateServiceLinkedRole"];

const fn rest(actions: &'static [&'static str]) -> Need {
    Act("RestApis", actions, REST)
}

const fn part(actions: &'static [&'static str]) -> Need {
    Act("ApiParts", actions, PARTS)
}

/// Roles that API Gateway gets to call something with.
const fn credentials(property: &'static str) -> (&'static str, Need) {
    (property, Pass("PassRolesToApiGateway", API_GATEWAY))
}

const fn pool(actions: &'static [&'static str]) -> Need {
    Act("UserPools", actions, StackPools)
}

/// Every type that stack files become.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::ApiGateway::Account",
        always: &[Act("GatewayAccount", GET_PATCH, Path("/account"))],
        with: &[credentials("/CloudWatchRoleArn"), ("/CloudWatchRoleArn", Act("Roles", &["iam:GetRole"], Role))],
    },
    Kind {
        name: "AWS::ApiGateway::ApiKey",
        always: &[Act("NewApiKeys", POST, Path("/apikeys")), Act("ApiKeys", RUD, StackPath("/apikeys/*")), TAGS],
        with: &[],
    },
    Kind {
        name: "AWS::ApiGateway::Authorizer",
        always: &[rest(POST_GET_PATCH_DELETE)],
        with: &[credentials("/AuthorizerCredentials")],
    },
    Kind {
        name: "AWS::ApiGateway::BasePathMapping",
        always: &[Act("Domains", POST_GET_PATCH_DELETE, Domain)],
        with: &[],
    },
    Kind { name: "AWS::ApiGateway::Deployment", always: &[rest(CRUD)], with: &[] },
    Kind {
        name: "AWS::ApiGateway::DomainName",
        always: &[Act("NewDomains", POST, Path("/domainnames")), Act("Domains", RUD, Domain), TAGS, GATEWAY_ROLE],
        with: &[("/MutualTlsAuthentication", Unknown), ("/Policy", Unknown)],
    },
    Kind { name: "AWS::ApiGateway::GatewayResponse", always: &[rest(PUT_GET_DELETE)], with: &[] },
    Kind {
        name: "AWS::ApiGateway::Method",
        always: &[rest(PUT_GET_DELETE)],
        with: &[credentials("/Integration/Credentials")],
    },
    Kind { name: "AWS::ApiGateway::Model", always: &[rest(POST_GET_PATCH_DELETE)], with: &[] },
    Kind { name: "AWS::ApiGateway::RequestValidator", always: &[rest(POST_GET_PATCH_DELETE)], with: &[] },
    Kind { name: "AWS::ApiGateway::Resource", always: &[rest(POST_GET_PATCH_DELETE)], with: &[] },
    Kind {
        name: "AWS::ApiGateway::RestApi",
        always: &[Act("NewRestApis", POST, Path("/restapis")), rest(RUD), TAGS],
        with: &[
            ("/Policy", Act("NewRestApis", &["apigateway:UpdateRestApiPolicy"], Path("/restapis"))),
            ("/Policy", rest(&["apigateway:UpdateRestApiPolicy"])),
            ("/Body", Unknown),
            ("/BodyS3Location", Unknown),
        ],
    },
    Kind { name: "AWS::ApiGateway::Stage", always: &[rest(CRUD), TAGS], with: &[] },
    Kind {
        name: "AWS::ApiGateway::UsagePlan",
        always: &[
            Act("NewUsagePlans", POST, Path("/usageplans")),
            Act("UsagePlans", RUD, StackPath("/usageplans/*")),
            TAGS,
        ],
        with: &[],
    },
    Kind {
        name: "AWS::ApiGateway::UsagePlanKey",
        always: &[Act("UsagePlans", POST_GET_DELETE, StackPath("/usageplans/*"))],
        with: &[],
    },
    Kind {
        name: "AWS::ApiGatewayV2::Api",
        always: &[Act("NewApis", POST, Path("/apis")), Act("Apis", RUD, API), TAGS_V2],
        with: &[("/Body", Unknown), ("/BodyS3Location", Unknown)],
    },
    Kind { name: "AWS::ApiGatewayV2::ApiMapping", always: &[Act("Domains", CRUD, Domain)], with: &[] },
    Kind {
        name: "AWS::ApiGatewayV2::Authorizer",
        always: &[part(CRUD)],
        with: &[credentials("/AuthorizerCredentialsArn")],
    },
    Kind {
        name: "AWS::ApiGatewayV2::DomainName",
        always: &[Act("NewDomains", POST, Path("/domainnames")), Act("Domains", CRUD, Domain), TAGS_V2, GATEWAY_ROLE],
        with: &[("/MutualTlsAuthentication", Unknown)],
    },
    Kind { name: "AWS::ApiGatewayV2::Integration", always: &[part(CRUD)], with: &[credentials("/CredentialsArn")] },
    Kind { name: "AWS::ApiGatewayV2::Route", always: &[part(CRUD)], with: &[] },
    Kind { name: "AWS::ApiGatewayV2::RouteResponse", always: &[part(CRUD)], with: &[] },
    Kind {
        name: "AWS::ApiGatewayV2::Stage",
        always: &[
            part(&[
                "apigateway:DELETE",
                "apigateway:GET",
                "apigateway:PATCH",
                "apigateway:POST",
                "apigateway:TagResource",
                "apigateway:UntagResource",
            ]),
            TAGS_V2,
        ],
        // The logs of HTTP APIs are delivered, unlike those of the others, which a role writes:
        // <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html>.
        with: &[("/AccessLogSettings", Act(DELIVERY, LOG_DELIVERY, Anything))],
    },
    Kind {
        name: "AWS::Cognito::UserPool",
        always: &[
            Act("NewUserPools", &["cognito-idp:CreateUserPool"], Anything),
            // The tag that tells the pools of the stack is one of those that are set here.
            Act("TagUserPools", &["cognito-idp:TagResource"], Pools),
            pool(&[
                "cognito-idp:AddCustomAttributes",
                "cognito-idp:DeleteUserPool",
                "cognito-idp:DescribeUserPool",
                "cognito-idp:GetUserPoolMfaConfig",
                "cognito-idp:ListTagsForResource",
                "cognito-idp:SetUserPoolMfaConfig",
                "cognito-idp:UntagResource",
                "cognito-idp:UpdateUserPool",
            ]),
        ],
        with: &[
            ("/SmsConfiguration/SnsCallerArn", Pass("PassRolesToCognito", "cognito-idp.amazonaws.com")),
            ("/EmailConfiguration/SourceArn", Act("ServiceRole", LINK, Linked("email.cognito-idp.amazonaws.com"))),
            ("/LambdaConfig/KMSKeyID", Unknown),
        ],
    },
    Kind {
        name: "AWS::Cognito::UserPoolClient",
        always: &[pool(&[
            "cognito-idp:CreateUserPoolClient",
            "cognito-idp:DeleteUserPoolClient",
            "cognito-idp:DescribeUserPoolClient",
            "cognito-idp:ListUserPoolClientSecrets",
            "cognito-idp:UpdateUserPoolClient",
        ])],
        with: &[("/AnalyticsConfiguration", Unknown)],
    },
    Kind {
        name: "AWS::Cognito::UserPoolDomain",
        always: &[
            pool(&[
                "cognito-idp:CreateUserPoolDomain",
                "cognito-idp:DeleteUserPoolDomain",
                "cognito-idp:UpdateUserPoolDomain",
            ]),
            Act("UserPoolDomains", &["cognito-idp:DescribeUserPoolDomain"], Anything),
        ],
        // The distribution is in an account of AWS, so its ARN is not known:
        // <https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html>.
        with: &[("/CustomDomainConfig", Act("CustomDomains", &["cloudfront:UpdateDistribution"], Anything))],
    },
    Kind {
        name: "AWS::Cognito::UserPoolGroup",
        always: &[pool(&[
            "cognito-idp:CreateGroup",
            "cognito-idp:DeleteGroup",
            "cognito-idp:GetGroup",
            "cognito-idp:UpdateGroup",
        ])],
        with: &[
            ("/RoleArn", Pass("PassRolesToCognito", "cognito-idp.amazonaws.com")),
            // AWS does not say to which of the two a group's role is passed.
            ("/RoleArn", Pass("PassRolesToCognito", "cognito-identity.amazonaws.com")),
        ],
    },
    Kind {
        name: "AWS::Cognito::UserPoolIdentityProvider",
        always: &[pool(&[
            "cognito-idp:CreateIdentityProvider",
            "cognito-idp:DeleteIdentityProvider",
            "cognito-idp:DescribeIdentityProvider",
            "cognito-idp:UpdateIdentityProvider",
        ])],
        with: &[],
    },
    Kind {
        name: "AWS::Cognito::UserPoolResourceServer",
        always: &[pool(&[
            "cognito-idp:CreateResourceServer",
            "cognito-idp:DeleteResourceServer",
            "cognito-idp:DescribeResourceServer",
            "cognito-idp:UpdateResourceServer",
        ])],
        with: &[],
    },
    Kind {
        name: "AWS::DynamoDB::Table",
        always: &[Act(
            "Tables",
            &[
                "dynamodb:CreateTable",
                "dynamodb:DeleteTable",
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeContributorInsights",
                "dynamodb:DescribeKinesisStreamingDestination",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:GetResourcePolicy",
                "dynamodb:ListTagsOfResource",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
            TABLE,
        )],
        with: &[
            ("/ContributorInsightsSpecification", Act("Tables", &["dynamodb:UpdateContributorInsights"], TABLE)),
            ("/SSESpecification/KMSMasterKeyId", Act("Keys", DESCRIBE_KEY, Listed)),
            ("/SSESpecification/KMSMasterKeyId", Act("Keys", KEY_OF_DATA, Key("dynamodb"))),
            ("/ImportSourceSpecification", Unknown),
            ("/KinesisStreamSpecification", Unknown),
            ("/ResourcePolicy", Unknown),
        ],
    },
    Kind {
        name: "AWS::IAM::Role",
        always: &[Act(
            "Roles",
            &[
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:ListRoleTags",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
            ],
            ROLE,
        )],
        with: &[
            ("/ManagedPolicyArns", Act(ATTACHED, &["iam:AttachRolePolicy", "iam:DetachRolePolicy"], ROLE)),
            (
                "/PermissionsBoundary",
                Act("Roles", &["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"], ROLE),
            ),
            ("/Path", Unknown),
        ],
    },
    Kind {
        name: "AWS::Lambda::Function",
        always: &[
            Act(
                "Functions",
                &[
                    "lambda:CreateFunction",
                    "lambda:DeleteFunction",
                    "lambda:GetFunction",
                    "lambda:GetFunctionCodeSigningConfig",
                    "lambda:GetFunctionRecursionConfig",
                    "lambda:GetFunctionScalingConfig",
                    "lambda:GetRuntimeManagementConfig",
                    "lambda:ListTags",
                    "lambda:TagResource",
                    "lambda:UntagResource",
                    "lambda:UpdateFunctionCode",
                    "lambda:UpdateFunctionConfiguration",
                ],
                FUNCTION,
            ),
            Act("Assets", &["s3:GetObject"], Assets),
        ],
        with: &[
            ("/Role", Pass("PassRolesToLambda", "lambda.amazonaws.com")),
            ("/Layers", Act("Layers", &["lambda:GetLayerVersion"], Listed)),
            (
                "/ReservedConcurrentExecutions",
                Act("Functions", &["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"], FUNCTION),
            ),
            ("/RecursiveLoop", Act("Functions", &["lambda:PutFunctionRecursionConfig"], FUNCTION)),
            ("/RuntimeManagementConfig", Act("Functions", &["lambda:PutRuntimeManagementConfig"], FUNCTION)),
            (
                "/VpcConfig",
                Act(
                    "Networks",
                    &[
                        "ec2:DescribeNetworkInterfaces",
                        "ec2:DescribeSecurityGroups",
                        "ec2:DescribeSubnets",
                        "ec2:DescribeVpcs",
                    ],
                    Anything,
                ),
            ),
            ("/CapacityProviderConfig", Unknown),
            ("/Code/S3ObjectVersion", Act("Assets", &["s3:GetObjectVersion"], Assets)),
            ("/CodeSigningConfigArn", Unknown),
            ("/FileSystemConfigs", Unknown),
            ("/FunctionScalingConfig", Unknown),
            ("/KmsKeyArn", Act("Keys", DESCRIBE_KEY, Listed)),
            ("/KmsKeyArn", Act("Keys", KEY_OF_FUNCTION, Key("lambda"))),
            ("/PublishToLatestPublished", Unknown),
        ],
    },
    Kind {
        name: "AWS::Lambda::Permission",
        always: &[Act(
            "Functions",
            &["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"],
            Function("FunctionName"),
        )],
        with: &[],
    },
    Kind {
        name: "AWS::Lambda::Url",
        always: &[Act(
            "Functions",
            &[
                "lambda:CreateFunctionUrlConfig",
                "lambda:DeleteFunctionUrlConfig",
                "lambda:GetFunctionUrlConfig",
                "lambda:UpdateFunctionUrlConfig",
            ],
            Function("TargetFunctionArn"),
        )],
        with: &[],
    },
    Kind {
        name: "AWS::Logs::LogGroup",
        always: &[
            Act(
                "LogGroups",
                &[
                    "logs:CreateLogGroup",
                    "logs:DeleteLogGroup",
                    "logs:DeleteRetentionPolicy",
                    "logs:GetDataProtectionPolicy",
                    "logs:ListTagsForResource",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                    "logs:UntagResource",
                ],
                LogGroup,
            ),
            Act("ReadLogs", READ_LOGS, Anything),
        ],
        with: &[
            ("/KmsKeyId", Act("LogGroups", &["logs:AssociateKmsKey", "logs:DisassociateKmsKey"], LogGroup)),
            ("/DeletionProtectionEnabled", Act("LogGroups", &["logs:PutLogGroupDeletionProtection"], LogGroup)),
            ("/BearerTokenAuthenticationEnabled", Unknown),
            ("/DataProtectionPolicy", Unknown),
            ("/FieldIndexPolicies", Unknown),
            ("/ResourcePolicyDocument", Unknown),
        ],
    },
    Kind {
        name: "AWS::SES::EmailIdentity",
        always: &[Act(
            "EmailIdentities",
            &[
                "ses:CreateEmailIdentity",
                "ses:DeleteEmailIdentity",
                "ses:GetEmailIdentity",
                "ses:ListTagsForResource",
                "ses:PutEmailIdentityConfigurationSetAttributes",
                "ses:PutEmailIdentityDkimAttributes",
                "ses:PutEmailIdentityDkimSigningAttributes",
                "ses:PutEmailIdentityFeedbackAttributes",
                "ses:PutEmailIdentityMailFromAttributes",
                "ses:TagResource",
                "ses:UntagResource",
            ],
            Named("ses:identity/", "EmailIdentity", 0),
        )],
        with: &[],
    },
    Kind {
        name: "AWS::SecretsManager::Secret",
        always: &[
            // The tag that tells the secrets of the stack is one of those that are set here.
            Act("NewSecrets", &["secretsmanager:CreateSecret", "secretsmanager:TagResource"], Secret),
            Act(
                "Secrets",
                &[
                    "secretsmanager:DeleteSecret",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:UntagResource",
                    "secretsmanager:UpdateSecret",
                ],
                StackSecret,
            ),
        ],
        with: &[
            ("/GenerateSecretString", Act("NewPasswords", &["secretsmanager:GetRandomPassword"], Anything)),
            ("/KmsKeyId", Act("Keys", &["kms:Decrypt", "kms:GenerateDataKey"], Key("secretsmanager"))),
            ("/ReplicaRegions", Unknown),
        ],
    },
];

const TABLE: On = Named("dynamodb:table/", "TableName", 255);
pub(super) const ROLE: On = Named("iam:role/", "RoleName", 64);
pub(super) const FUNCTION: On = Named("lambda:function:", "FunctionName", 64);

/// IAM knows no log groups for these.
const READ_LOGS: &[&str] = &["logs:DescribeIndexPolicies", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"];

/// What is granted for managed policies is narrowed to those that are declared.
pub(super) const ATTACHED: &str = "AttachPolicies";

/// What is granted for the logs of HTTP APIs, and of no others.
pub(super) const DELIVERY: &str = "LogDelivery";
const LOG_DELIVERY: &[&str] = &[
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

const DESCRIBE_KEY: &[&str] = &["kms:DescribeKey"];
const KEY_OF_DATA: &[&str] = &["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:RevokeGrant"];
const KEY_OF_FUNCTION: &[&str] = &["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];

/// Only for what a service of AWS encrypts for the caller, and not for grants to others:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource>.
pub(super) const GRANTS_OF_KEYS: &[&str] = &["kms:CreateGrant", "kms:RevokeGrant"];

/// Where every role has to carry a boundary, these are done to roles that carry it, and to no others:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate>.
pub(super) const BOUNDED: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
];

/// What would take the boundary away.
pub(super) const UNBOUNDING: &str = "iam:DeleteRolePermissionsBoundary";
