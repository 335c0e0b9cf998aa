using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.OpenApi;

/// <summary>Writes the paths of a resource: what clients look up there is the kind behind a path, the patch types and the write parameters.</summary>
internal static class PathWriter
{
    private static readonly string[] WriteParameters = ["dryRun", "fieldManager", "fieldValidation", "pretty"];
    private static readonly string[] ListParameters = ["allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "pretty", "resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch"];

    public static void Add(JsonObject paths, ResourceKind kind, SchemaWriter schemas, bool isV3)
    {
        var root = kind.Group.Length == 0 ? $"/api/{kind.Version}" : $"/apis/{kind.Group}/{kind.Version}";
        var collection = kind.Namespaced ? $"{root}/namespaces/{{namespace}}/{kind.Plural}" : $"{root}/{kind.Plural}";
        var writer = new Operations(kind, schemas, isV3);
        paths[collection] = writer.Collection();
        paths[$"{collection}/{{name}}"] = writer.Item();
        foreach (var sub in kind.Subresources.Where(s => s.Verbs.Contains("patch"))) paths[$"{collection}/{{name}}/{sub.Name}"] = writer.Item(sub);
        if (kind.Namespaced) paths[$"{root}/{kind.Plural}"] = new JsonObject { ["get"] = writer.Operation("list", ListParameters) };
    }

    private sealed class Operations(ResourceKind kind, SchemaWriter schemas, bool isV3)
    {
        public JsonObject Collection()
        {
            var operations = new JsonObject();
            if (kind.Verbs.Contains("list")) operations["get"] = Operation("list", ListParameters);
            if (kind.Verbs.Contains("create")) operations["post"] = Operation("post", WriteParameters, ["*/*"]);
            return operations;
        }

        public JsonObject Item(Subresource? sub = null)
        {
            var verbs = sub?.Verbs ?? kind.Verbs;
            var operations = new JsonObject();
            if (verbs.Contains("get")) operations["get"] = Operation("get", ["pretty"]);
            if (verbs.Contains("update")) operations["put"] = Operation("put", WriteParameters, ["*/*"]);
            if (verbs.Contains("patch")) operations["patch"] = Operation("patch", [.. WriteParameters, "force"], PatchTypes());
            if (verbs.Contains("delete")) operations["delete"] = Operation("delete", ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"]);
            return operations;
        }

        public JsonObject Operation(string action, IEnumerable<string> parameters, IReadOnlyList<string>? body = null)
        {
            var operation = new JsonObject
            {
                ["operationId"] = $"{action}{kind.Group.Split('.')[0]}{kind.Version}{kind.Kind}",
                ["parameters"] = new JsonArray([.. parameters.Select(Parameter)]),
            };
            if (body is not null) Body(operation, body);
            var answer = schemas.Ref(SchemaNames.Of(kind) + (action == "list" ? "List" : ""));
            operation["responses"] = new JsonObject { ["200"] = Response(answer) };
            operation["x-kubernetes-action"] = action;
            operation["x-kubernetes-group-version-kind"] = SchemaWriter.Gvk(kind, kind.Kind);
            return operation;
        }

        private string[] PatchTypes() => kind.Custom
            ? ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
            : ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];

        private JsonObject Parameter(string name)
        {
            var parameter = new JsonObject { ["name"] = name, ["in"] = "query" };
            if (isV3) parameter["schema"] = new JsonObject { ["type"] = "string", ["uniqueItems"] = true };
            else parameter["type"] = "string";
            return parameter;
        }

        private void Body(JsonObject operation, IReadOnlyList<string> types)
        {
            if (!isV3)
            {
                operation["consumes"] = new JsonArray([.. types.Select(t => JsonValue.Create(t))]);
                ((JsonArray)operation["parameters"]!).Add(new JsonObject { ["name"] = "body", ["in"] = "body", ["required"] = true, ["schema"] = new JsonObject { ["type"] = "object" } });
                return;
            }

            var content = new JsonObject();
            foreach (var type in types) content[type] = new JsonObject { ["schema"] = types.Count > 1 ? new JsonObject { ["type"] = "object" } : schemas.Ref(SchemaNames.Of(kind)) };
            operation["requestBody"] = new JsonObject { ["content"] = content, ["required"] = true };
        }

        private JsonObject Response(JsonObject answer)
        {
            if (!isV3) return new JsonObject { ["description"] = "OK", ["schema"] = answer };
            return new JsonObject { ["description"] = "OK", ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = answer } } };
        }
    }
}
