using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer;

/// <summary>The refusals of the API server, each with the <c>Status</c> object a real one answers.</summary>
public static class ApiErrors
{
    public const string ModifiedMessage = "the object has been modified; please apply your changes to the latest version and try again";

    public static ApiException NotFound(ResourceKind kind, string name) =>
        Error(404, "NotFound", $"{kind.QualifiedPlural} \"{name}\" not found", Details(kind, name, kind.Plural));

    public static ApiException AlreadyExists(ResourceKind kind, string name) =>
        Error(409, "AlreadyExists", $"{kind.QualifiedPlural} \"{name}\" already exists", Details(kind, name, kind.Plural));

    public static ApiException Conflict(ResourceKind kind, string name, string why) =>
        Error(409, "Conflict", $"Operation cannot be fulfilled on {kind.QualifiedPlural} \"{name}\": {why}", Details(kind, name, kind.Plural));

    /// <summary>A conflict worded with the kind instead of the resource, as failed preconditions are.</summary>
    public static ApiException ConflictOn(ResourceKind kind, string name, string why)
    {
        var label = kind.Group.Length == 0 ? kind.Kind : $"{kind.Kind}.{kind.Group}";
        return Error(409, "Conflict", $"Operation cannot be fulfilled on {label} \"{name}\": {why}", Details(kind, name, kind.Kind));
    }

    public static ApiException Modified(ResourceKind kind, string name) => Conflict(kind, name, ModifiedMessage);

    public static ApiException BadRequest(string message) => Error(400, "BadRequest", message, null);

    public static ApiException Forbidden(ResourceKind kind, string name, string message) =>
        Error(403, "Forbidden", $"{kind.QualifiedPlural}{(name.Length == 0 ? "" : $" \"{name}\"")} is forbidden: {message}", Details(kind, name, kind.Plural));

    public static ApiException Unauthorized() => Error(401, "Unauthorized", "Unauthorized", null);

    public static ApiException MethodNotAllowed() =>
        Error(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);

    public static ApiException NoSuchResource() => Error(404, "NotFound", "the server could not find the requested resource", []);

    public static ApiException NotAcceptable(string accepted) =>
        Error(406, "NotAcceptable", $"only the following media types are accepted: {accepted}", null);

    public static ApiException UnsupportedMediaType(string accepted) =>
        Error(415, "UnsupportedMediaType", $"the body of the request was in an unknown format - accepted media types include: {accepted}", null);

    public static ApiException Expired(string message) => Error(410, "Expired", message, null);

    public static ApiException Gone(string message) => Error(410, "Gone", message, null);

    public static ApiException TooManyRequests(string message, JsonObject? details) => Error(429, "TooManyRequests", message, details);

    public static ApiException TooLarge(string message) => Error(413, "RequestEntityTooLarge", message, null);

    public static ApiException Internal(string message) =>
        Error(500, "InternalError", $"Internal error occurred: {message}", new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) });

    /// <summary>422: the object breaks the rules listed, each with its field.</summary>
    public static ApiException Invalid(ResourceKind kind, string name, IReadOnlyList<FieldError> errors) =>
        Invalid(kind.Group, kind.Kind, name, errors);

    public static ApiException Invalid(string group, string kind, string name, IReadOnlyList<FieldError> errors)
    {
        var texts = errors.Select(e => e.ToString()).Distinct().ToArray();
        var all = texts.Length == 1 ? texts[0] : $"[{string.Join(", ", texts)}]";
        var details = new JsonObject();
        if (name.Length > 0) details["name"] = name;
        if (group.Length > 0) details["group"] = group;
        details["kind"] = kind;
        details["causes"] = new JsonArray([.. errors.Select(e => e.ToCause())]);
        return Error(422, "Invalid", $"{kind}{(group.Length == 0 ? "" : "." + group)} \"{name}\" is invalid: {all}", details);
    }

    /// <summary>Any refusal; an empty <paramref name="details"/> is written as <c>{}</c>, as handlers without a resource do.</summary>
    public static ApiException Error(int code, string reason, string message, JsonObject? details)
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = message,
        };
        if (reason.Length > 0) status["reason"] = reason;
        if (details is not null) status["details"] = details;
        status["code"] = code;
        return new ApiException(code, status);
    }

    private static JsonObject Details(ResourceKind kind, string name, string label)
    {
        var details = new JsonObject();
        if (name.Length > 0) details["name"] = name;
        if (kind.Group.Length > 0) details["group"] = kind.Group;
        details["kind"] = label;
        return details;
    }

    /// <summary>403 in the words of a server that authorizes by roles.</summary>
    public static ApiException Forbidden(AccessQuestion question)
    {
        if (question.Path is not null)
        {
            return Error(403, "Forbidden", $"forbidden: User \"{question.User.Name}\" cannot {question.Verb} path \"{question.Path}\"", []);
        }

        var resource = question.Subresource is null ? question.Resource : $"{question.Resource}/{question.Subresource}";
        var where = question.Namespace is { } ns && question.Resource != "namespaces" ? $"in the namespace \"{ns}\"" : "at the cluster scope";
        var label = question.Group.Length == 0 ? question.Resource : $"{question.Resource}.{question.Group}";
        var named = question.Name is null ? "" : $" \"{question.Name}\"";
        var details = new JsonObject();
        if (question.Name is { } name) details["name"] = name;
        if (question.Group.Length > 0) details["group"] = question.Group;
        details["kind"] = question.Resource;
        return Error(403, "Forbidden", $"{label}{named} is forbidden: User \"{question.User.Name}\" cannot {question.Verb} resource \"{resource}\" in API group \"{question.Group}\" {where}", details);
    }
}
