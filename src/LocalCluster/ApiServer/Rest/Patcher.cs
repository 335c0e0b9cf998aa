using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Patching;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>PATCH with the three kinds of patch that edit the present object.</summary>
public static class Patcher
{
    public static Task<JsonObject> PatchAsync(ApiContext context, Target target, PatchKind kind, JsonNode? patch, WriteRequest request, CancellationToken ct) =>
        Updater.ChangeAsync(context, target, current => Patched(target, kind, current, patch, request), request, ct);

    private static JsonObject Patched(Target target, PatchKind kind, JsonObject current, JsonNode? patch, WriteRequest request)
    {
        var result = Apply(target, kind, current, patch);
        // The version that was read is not a precondition; only one that the patch itself names is.
        var item = BodyDecoder.Decode(target.Kind, result, request);
        if (item.Name() != target.Name) throw ApiErrors.Invalid(target.Kind, target.Name, [FieldError.Invalid("metadata.name", item.Name(), "field is immutable")]);
        return item;
    }

    private static JsonNode? Apply(Target target, PatchKind kind, JsonObject current, JsonNode? patch)
    {
        try
        {
            return kind switch
            {
                PatchKind.Json => JsonPatch.Apply(current, patch),
                PatchKind.Merge when patch is not JsonObject => throw new PatchException("json: cannot unmarshal value into Go value of type map[string]interface {}", malformed: true),
                PatchKind.Merge => MergePatch.Apply(current, patch),
                PatchKind.StrategicMerge when patch is JsonObject map => StrategicMergePatch.Apply(current, map, target.Kind.Type),
                _ => throw new PatchException("json: cannot unmarshal value into Go value of type map[string]interface {}", malformed: true),
            };
        }
        catch (PatchException e) when (e.Malformed)
        {
            throw ApiErrors.BadRequest($"error decoding patch: {e.Message}");
        }
        catch (PatchException)
        {
            throw ApiErrors.Error(422, "Invalid", "the server rejected our request due to an error in our request", []);
        }
    }
}
