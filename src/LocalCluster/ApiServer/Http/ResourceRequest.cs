using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Subresources;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>One request on a resource, taken apart and handed to its operation.</summary>
internal sealed class ResourceRequest(ApiContext context, HttpContext http, UserInfo user, RequestPath path, ResourceKind kind, IPodLogs? logs)
{
    private const string PatchTypes = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

    private HttpRequest Request => http.Request;

    private CancellationToken Aborted => http.RequestAborted;

    public Task HandleAsync(string verb)
    {
        if (!Allows(verb)) throw ApiErrors.MethodNotAllowed();
        if (path.Subresource is "attach" or "exec" or "portforward" or "proxy") throw ApiErrors.Error(501, "NotImplemented", $"{path.Subresource} is not served by the local cluster: its pods are processes of this machine", null);
        if (kind is { Group: "", Kind: "Endpoints" }) Responses.Warn(http, ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"]);
        return verb switch
        {
            "get" when path is { Plural: "pods", Subresource: "log" } => LogResponse.WriteAsync(context, http, path, kind, logs),
            "get" => GetAsync(),
            "list" => ListAsync(),
            "watch" => WatchResponse.WriteAsync(context, http, kind, path),
            "create" => CreateAsync(),
            "update" => UpdateAsync(),
            "patch" => PatchAsync(),
            "delete" => DeleteAsync(),
            "deletecollection" => DeleteCollectionAsync(),
            _ => throw ApiErrors.MethodNotAllowed(),
        };
    }

    private bool Allows(string verb)
    {
        // Across namespaces, objects are only read. Reviews about whole clusters are the exception that has no namespace to name.
        if (kind.Namespaced && path.Namespace is null && verb is not ("list" or "watch")) return path.Name is not null ? throw ApiErrors.NoSuchResource() : false;
        if (path.Subresource is { } name) return kind.Sub(name)!.Verbs.Contains(verb);
        if (verb is "create" && path.Name is not null || verb is "update" or "patch" && path.Name is null) return false;
        return kind.Verbs.Contains(verb);
    }

    private Negotiated Negotiate() => Negotiated.For(Request.Headers.Accept, Request.Headers.UserAgent, Request.Query["pretty"]);

    private Task GetAsync()
    {
        var negotiated = Negotiate();
        var stored = Reader.Get(context, kind, path.Namespace, path.Name!);
        if (negotiated is { Form: Form.Plain, Yaml: false, Pretty: false } && path.Subresource != "scale" && kind.Conversion is null) return Responses.BytesAsync(http, 200, stored.Json);
        var item = Versions.FromStorage(kind, stored);
        return AnswerAsync(200, path.Subresource == "scale" ? Scale.Get(kind, item) : item, negotiated);
    }

    private Task ListAsync()
    {
        var negotiated = Negotiate();
        if (negotiated.Form == Form.Metadata) throw ApiErrors.Error(406, "NotAcceptable", $"you requested PartialObjectMetadata, but the requested object is a list (*{GoPackage()}.{kind.ListKind})", null);
        if (Verbs.IsTrue(Request.Query["sendInitialEvents"])) throw SendInitialEventsForbidden();
        CheckVersionMatch();
        var selection = Reader.Select(kind, Request.Query["labelSelector"], Request.Query["fieldSelector"]);
        var page = Reader.List(context, kind, path.Namespace, selection, Number("limit") ?? 0, Request.Query["continue"], Request.Query["resourceVersion"], Request.Query["resourceVersionMatch"] == "Exact");
        if (negotiated is { Form: Form.Plain, Yaml: false, Pretty: false } && kind.Conversion is null) return ListResponse.WriteAsync(http, kind, page);
        return negotiated.Form switch
        {
            Form.Table => Responses.NegotiatedAsync(http, 200, Tables.TableBuilder.Build(kind, page, Include(), context.Clock.GetUtcNow()), negotiated),
            Form.MetadataList => Responses.NegotiatedAsync(http, 200, PartialMetadata.List(page, kind), negotiated),
            _ => Responses.NegotiatedAsync(http, 200, Lists.ToTree(kind, page), negotiated),
        };
    }

    private void CheckVersionMatch()
    {
        const string Field = "resourceVersionMatch";
        var (match, version) = (Request.Query[Field].ToString(), Request.Query["resourceVersion"].ToString());
        if (match.Length == 0) return;
        var errors = new List<FieldError>();
        if (version.Length == 0) errors.Add(FieldError.Forbidden(Field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        if (Request.Query["continue"].ToString().Length > 0) errors.Add(FieldError.Forbidden(Field, "resourceVersionMatch is forbidden when continue is provided"));
        if (match is not ("Exact" or "NotOlderThan")) errors.Add(FieldError.NotSupported(Field, match, ["Exact", "NotOlderThan", ""]));
        if (match == "Exact" && version == "0") errors.Add(FieldError.Forbidden(Field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        if (errors.Count > 0) throw ApiErrors.Invalid("meta.k8s.io", "ListOptions", "", errors);
    }

    private string GoPackage() => kind.Custom ? "unstructured" : kind.Group.Length == 0 ? "core" : kind.Group.Split('.')[0];

    private static ApiException SendInitialEventsForbidden() => ApiErrors.Invalid(
        "meta.k8s.io", "ListOptions", "", [FieldError.Forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")]);

    private async Task CreateAsync()
    {
        var negotiated = Negotiate();
        var bodyKind = path.Subresource is { } sub ? kind with { Kind = kind.Sub(sub)!.Kind } : kind;
        var (body, duplicates) = await BodyReader.ReadAsync(Request, bodyKind, Aborted);
        var request = WriteRequest() with { Duplicates = duplicates };
        var item = await Dispatch.CreateAsync(context, kind, path.Namespace, path.Name, path.Subresource, body, request, Aborted);
        Responses.Warn(http, request.Warnings);
        await AnswerAsync(201, item, negotiated);
    }

    private async Task UpdateAsync()
    {
        var negotiated = Negotiate();
        var (body, duplicates) = await BodyReader.ReadAsync(Request, kind, Aborted);
        var request = WriteRequest() with { Duplicates = duplicates };
        var existed = context.Find(kind, path.Namespace, path.Name!) is not null;
        if (!existed && path.Subresource is null) AuthorizeCreate();
        var item = await Dispatch.UpdateAsync(context, Target(), body, request, Aborted);
        Responses.Warn(http, request.Warnings);
        await AnswerAsync(existed ? 200 : 201, item, negotiated);
    }

    private async Task PatchAsync()
    {
        var negotiated = Negotiate();
        var type = PatchType();
        var request = WriteRequest() with { Force = Verbs.IsTrue(Request.Query["force"]) };
        if (type == PatchKind.Apply && string.IsNullOrEmpty(request.ExplicitFieldManager))
        {
            throw ApiErrors.Invalid("meta.k8s.io", "PatchOptions", "", [FieldError.Required("fieldManager", "is required for apply patch")]);
        }

        if (type != PatchKind.Apply && request.Force)
        {
            throw ApiErrors.Invalid("meta.k8s.io", "PatchOptions", "", [FieldError.Forbidden("force", "may not be specified for non-apply patch")]);
        }

        var (patch, duplicates) = await BodyReader.ReadPatchAsync(Request, type == PatchKind.Apply, Aborted);
        request = request with { Duplicates = duplicates };
        if (type == PatchKind.Apply && path.Subresource is null && context.Find(kind, path.Namespace, path.Name!) is null) AuthorizeCreate();
        var (item, created) = await Dispatch.PatchAsync(context, Target(), type, patch, request, Aborted);
        Responses.Warn(http, request.Warnings);
        await AnswerAsync(created ? 201 : 200, item, negotiated);
    }

    /// <summary>A write that would create needs the permission to create besides its own.</summary>
    private void AuthorizeCreate()
    {
        var question = new AccessQuestion(user, "create", path.Group, path.Plural, null, path.Namespace, path.Name);
        if (!context.Authorizer.Allows(question)) throw ApiErrors.Forbidden(question);
    }

    private async Task DeleteAsync()
    {
        var negotiated = Negotiate();
        var options = await DeleteOptionsAsync();
        var item = await Deleter.DeleteAsync(context, Target(), options.Options, options.Request, Aborted);
        await AnswerAsync(200, item, negotiated);
    }

    private async Task DeleteCollectionAsync()
    {
        var negotiated = Negotiate();
        var selection = Reader.Select(kind, Request.Query["labelSelector"], Request.Query["fieldSelector"]);
        var options = await DeleteOptionsAsync();
        var page = Reader.List(context, kind, path.Namespace, selection);
        var deleted = await Deleter.DeleteCollectionAsync(context, kind, page.Items, options.Options, options.Request, Aborted);
        await Responses.NegotiatedAsync(http, 200, Lists.ToTree(kind, deleted, Lists.Metadata(page)), negotiated);
    }

    private async Task<(DeleteOptions Options, WriteRequest Request)> DeleteOptionsAsync()
    {
        var body = await BodyReader.ReadOptionalAsync(Request, Aborted);
        if (body is null)
        {
            body = [];
            if (Number("gracePeriodSeconds") is { } grace) body["gracePeriodSeconds"] = grace;
            if (Request.Query["propagationPolicy"].ToString() is { Length: > 0 } policy) body["propagationPolicy"] = policy;
            if (Request.Query["orphanDependents"].ToString() is { Length: > 0 } orphan) body["orphanDependents"] = Verbs.IsTrue(orphan);
        }

        var dry = body.Strings("dryRun").Count > 0;
        var request = WriteRequest();
        return (DeleteOptions.From(body), request with { DryRun = dry || request.DryRun });
    }

    private Target Target() => new(kind, path.Namespace, path.Name!, path.Subresource);

    private WriteRequest WriteRequest()
    {
        var dryRun = Request.Query["dryRun"].ToString();
        if (dryRun is not ("" or "All")) throw ApiErrors.Invalid("meta.k8s.io", OptionsKind(), "", [FieldError.NotSupported("dryRun", dryRun, ["All"])]);
        var validation = Request.Query["fieldValidation"].ToString();
        if (validation is not ("" or "Ignore" or "Warn" or "Strict")) throw ApiErrors.Invalid("meta.k8s.io", OptionsKind(), "", [FieldError.NotSupported("fieldValidation", validation, ["Ignore", "Warn", "Strict"])]);
        var manager = Request.Query["fieldManager"].ToString();
        if (manager.Length > 128) throw ApiErrors.Invalid("meta.k8s.io", OptionsKind(), "", [FieldError.TooLong("fieldManager", 128)]);
        var parsed = validation.Length == 0 ? (FieldValidation?)null : Enum.Parse<FieldValidation>(validation);
        return new WriteRequest(Users.Caller(http, user))
        {
            DryRun = dryRun == "All",
            FieldValidation = parsed ?? FieldValidation.Warn,
            ExplicitFieldValidation = parsed,
            ExplicitFieldManager = manager,
        };
    }

    private string OptionsKind() => Request.Method switch { "POST" => "CreateOptions", "PUT" => "UpdateOptions", "PATCH" => "PatchOptions", _ => "DeleteOptions" };

    private PatchKind PatchType() => MediaType.Parse(Request.ContentType ?? "")?.Name switch
    {
        "application/json-patch+json" => PatchKind.Json,
        "application/merge-patch+json" => PatchKind.Merge,
        "application/strategic-merge-patch+json" when !kind.Custom => PatchKind.StrategicMerge,
        "application/strategic-merge-patch+json" => throw ApiErrors.UnsupportedMediaType(PatchTypes),
        "application/apply-patch+yaml" => PatchKind.Apply,
        _ => throw ApiErrors.Error(415, "UnsupportedMediaType", "415: Unsupported Media Type", []),
    };

    private Task AnswerAsync(int status, JsonObject item, Negotiated negotiated)
    {
        var isStatus = item["kind"].Str() == "Status";
        return negotiated.Form switch
        {
            Form.Table when !isStatus => Responses.NegotiatedAsync(http, status, Tables.TableBuilder.Build(kind, [item], new JsonObject { ["resourceVersion"] = item.Str("metadata", "resourceVersion") }, Include(), context.Clock.GetUtcNow()), negotiated),
            Form.Metadata when !isStatus => Responses.NegotiatedAsync(http, status, PartialMetadata.Of(item), negotiated),
            _ => Responses.NegotiatedAsync(http, status, item, negotiated),
        };
    }

    private string Include() => Request.Query["includeObject"].ToString();

    private int? Number(string name)
    {
        var text = Request.Query[name].ToString();
        if (text.Length == 0) return null;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value
            : throw ApiErrors.BadRequest($"strconv.ParseInt: parsing \"{text}\": invalid syntax");
    }
}
