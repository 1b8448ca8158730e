//! The wire face of Cognito user pools, JSON 1.1.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cloud::{Account, Cloud};
use crate::cognito::control::{self, null};
use crate::cognito::moment::Moment;
use crate::cognito::sign_in::{self, Side};
use crate::cognito::{UserPools, challenge, directory, federation, mfa, own, provider, recovery, sign_up};
use crate::wire::{Fault, Request, Response, json_answer};

/// Answers one request.
pub(crate) async fn handle(cloud: Cloud, request: Request) -> Response {
    let Some(operation) = request.operation().map(ToOwned::to_owned) else {
        return Fault::unknown_operation("cognito-idp", &request.path).into_json();
    };
    json_answer(run(&cloud, &operation, &request).await)
}

/// The request's body. AWS names what is left out by its member's name, the first letter small.
fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Fault> {
    request.json().map_err(|fault| {
        match fault.message.strip_prefix("missing field `").and_then(|m| m.split_once('`')) {
            Some((member, _)) => {
                let mut letters = member.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                null(&first.into_iter().chain(letters).collect::<String>())
            }
            None => fault,
        }
    })
}

/// Operations that call triggers, make keys or guard secrets run step by step; see [`plain`] for all others.
pub(super) async fn run(cloud: &Cloud, operation: &str, request: &Request) -> Result<Value, Fault> {
    match operation {
        "SignUp" => sign_up::sign_up(cloud, read(request)?).await,
        "ConfirmSignUp" => sign_up::confirm_sign_up(cloud, read(request)?).await,
        "ResendConfirmationCode" => sign_up::resend(cloud, read(request)?).await,
        "AdminConfirmSignUp" => sign_up::admin_confirm_sign_up(cloud, read(request)?).await,
        "AdminCreateUser" => sign_up::admin_create_user(cloud, read(request)?).await,
        "ForgotPassword" => recovery::forgot(cloud, read(request)?).await,
        "ConfirmForgotPassword" => recovery::confirm(cloud, read(request)?).await,
        "AdminResetUserPassword" => recovery::admin_reset(cloud, read(request)?).await,
        "ChangePassword" => recovery::change(cloud, read(request)?),
        "AdminSetUserPassword" => recovery::admin_set(cloud, read(request)?),
        "InitiateAuth" => sign_in::initiate(cloud, read(request)?, Side::Public).await,
        "AdminInitiateAuth" => sign_in::initiate(cloud, read(request)?, Side::Admin).await,
        "RespondToAuthChallenge" => challenge::respond(cloud, read(request)?, Side::Public).await,
        "AdminRespondToAuthChallenge" => challenge::respond(cloud, read(request)?, Side::Admin).await,
        "GetTokensFromRefreshToken" => sign_in::get_tokens(cloud, read(request)?).await,
        "UpdateUserAttributes" => own::update_attributes(cloud, read(request)?).await,
        "GetUserAttributeVerificationCode" => own::get_code(cloud, read(request)?).await,
        "VerifyUserAttribute" => own::verify(cloud, read(request)?),
        "AssociateSoftwareToken" => mfa::associate(cloud, read(request)?),
        "VerifySoftwareToken" => mfa::verify(cloud, read(request)?),
        "CreateUserPool" => cloud.write(|account| control::create_pool(account, read(request)?, cloud.now().into())),
        "DescribeUserPoolDomain" => {
            cloud.read(|account| control::describe_domain(account, read(request)?, cloud.now().into()))
        }
        "ListTagsForResource" => cloud.read(|account| control::list_tags(account, &read(request)?)),
        "TagResource" => cloud.write(|account| control::tag(account, read(request)?)),
        "UntagResource" => cloud.write(|account| control::untag(account, &read(request)?)),
        _ => plain(cloud, operation, request),
    }
}

/// Operations that look at or change the pools in one step.
fn plain(cloud: &Cloud, operation: &str, request: &Request) -> Result<Value, Fault> {
    let call = Plain { cloud, request };
    match operation {
        "GetUser" => call.look(own::get_user),
        "DeleteUser" => call.change(own::delete_user),
        "DeleteUserAttributes" => call.change(own::delete_attributes),
        "GlobalSignOut" => call.change(own::global_sign_out),
        "RevokeToken" => call.change(sign_in::revoke),
        "SetUserMFAPreference" => call.change(mfa::set_own_preference),
        "AdminSetUserMFAPreference" => call.change(mfa::set_preference),
        "AdminGetUser" => call.look(directory::get_user),
        "AdminDeleteUser" => call.change(directory::delete_user),
        "AdminDisableUser" => call.change(directory::disable_user),
        "AdminEnableUser" => call.change(directory::enable_user),
        "AdminUserGlobalSignOut" => call.change(directory::sign_out),
        "AdminUpdateUserAttributes" => call.change(directory::update_attributes),
        "AdminDeleteUserAttributes" => call.change(directory::delete_attributes),
        "AdminAddUserToGroup" => call.change(directory::add_to_group),
        "AdminRemoveUserFromGroup" => call.change(directory::remove_from_group),
        "AdminListGroupsForUser" => call.look(directory::groups_of_user),
        "ListUsers" => call.look(directory::list_users),
        "ListUsersInGroup" => call.look(directory::users_in_group),
        "CreateGroup" => call.change(directory::create_group),
        "UpdateGroup" => call.change(directory::update_group),
        "GetGroup" => call.look(directory::get_group),
        "DeleteGroup" => call.change(directory::delete_group),
        "ListGroups" => call.look(directory::list_groups),
        "UpdateUserPool" => call.change(control::update_pool),
        "DeleteUserPool" => call.change(control::delete_pool),
        "DescribeUserPool" => call.look(control::describe_pool),
        "ListUserPools" => call.look(control::list_pools),
        "AddCustomAttributes" => call.change(control::add_attributes),
        "GetUserPoolMfaConfig" => call.look(control::mfa_config),
        "SetUserPoolMfaConfig" => call.change(control::set_mfa_config),
        "CreateUserPoolClient" => call.change(control::create_client),
        "UpdateUserPoolClient" => call.change(control::update_client),
        "DeleteUserPoolClient" => call.change(control::delete_client),
        "DescribeUserPoolClient" => call.look(control::describe_client),
        "ListUserPoolClients" => call.look(control::list_clients),
        "CreateUserPoolDomain" => call.change(control::create_domain),
        "DeleteUserPoolDomain" => call.change(control::delete_domain),
        "CreateResourceServer" => call.change(control::create_server),
        "UpdateResourceServer" => call.change(control::update_server),
        "DeleteResourceServer" => call.change(control::delete_server),
        "DescribeResourceServer" => call.look(control::describe_server),
        "ListResourceServers" => call.look(control::list_servers),
        "CreateIdentityProvider" => call.change(provider::create),
        "UpdateIdentityProvider" => call.change(provider::update),
        "DeleteIdentityProvider" => call.change(provider::delete),
        "DescribeIdentityProvider" => call.look(provider::describe),
        "GetIdentityProviderByIdentifier" => call.look(provider::by_identifier),
        "ListIdentityProviders" => call.look(provider::list),
        "AdminLinkProviderForUser" => call.change(federation::link),
        "AdminDisableProviderForUser" => call.change(federation::unlink),
        _ => Err(Fault::unknown_operation("cognito-idp", operation)),
    }
}

/// One request for one step.
#[derive(Clone, Copy)]
struct Plain<'a> {
    cloud: &'a Cloud,
    request: &'a Request,
}

impl Plain<'_> {
    fn look<T: DeserializeOwned>(
        self,
        rule: impl FnOnce(&UserPools, T, Moment) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        let asked = read(self.request)?;
        self.cloud.read(|account: &Account| rule(&account.cognito, asked, self.cloud.now().into()))
    }

    fn change<T: DeserializeOwned>(
        self,
        rule: impl FnOnce(&mut UserPools, T, Moment) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        let asked = read(self.request)?;
        self.cloud.write(|account| rule(&mut account.cognito, asked, self.cloud.now().into()))
    }
}
