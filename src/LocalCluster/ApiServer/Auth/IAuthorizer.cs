namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>One question of authorization: may this user do this?</summary>
/// <param name="Path">For requests that are not about a resource; otherwise null.</param>
public sealed record AccessQuestion(UserInfo User, string Verb, string Group, string Resource, string? Subresource, string? Namespace, string? Name, string? Path = null);

/// <summary>Answers questions of authorization.</summary>
public interface IAuthorizer
{
    bool Allows(AccessQuestion question);
}

/// <summary>Everyone who is known may do everything; nobody else may do more than ask after the server's health and version.</summary>
public sealed class AuthenticatedMayAll : IAuthorizer
{
    public bool Allows(AccessQuestion question) =>
        question.User.Groups.Contains("system:authenticated") ||
        question is { Verb: "get", Path: "/healthz" or "/livez" or "/readyz" or "/version" or "/version/" };
}
