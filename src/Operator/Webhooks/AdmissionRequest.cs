using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.Operator.Webhooks;

/// <summary>What the API server asks (admission.k8s.io/v1): may this write happen, and with which changes.</summary>
/// <param name="Uid">Given back in the answer.</param>
/// <param name="Operation">CREATE or UPDATE; the configurations select no others.</param>
/// <param name="User">Who writes, as the API server authenticated them.</param>
/// <param name="Object">The object as it would be stored.</param>
/// <param name="OldObject">The stored object; null on a create.</param>
internal sealed record AdmissionRequest(string Uid, string Operation, string User, JsonObject Object, JsonObject? OldObject)
{
    /// <exception cref="FormatException">This is no admission review; the message names what is missing.</exception>
    public static AdmissionRequest Parse(ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonNode.Parse(body, documentOptions: new() { MaxDepth = 128 }) is not JsonObject review || review["request"] is not JsonObject request) throw new FormatException("not an AdmissionReview: request is missing");
            Read(review);
            var uid = Text(request["uid"]) ?? throw new FormatException("not an AdmissionReview: request.uid is missing");
            var target = request["object"] as JsonObject ?? throw new FormatException("not an AdmissionReview of a create or update: request.object is missing");
            return new(uid, Text(request["operation"]) ?? "", Text((request["userInfo"] as JsonObject)?["username"]) ?? "", target, request["oldObject"] as JsonObject);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)   // no JSON; a scalar where an object belongs; a name twice
        {
            throw new FormatException($"not an AdmissionReview: {e.Message}", e);
        }
    }

    /// <summary>
    /// Reads every name and text once. Nodes do so when they are first asked, and then throw for a name that comes twice or for bytes that are no text:
    /// that must be found here, not in the middle of a decision.
    /// </summary>
    private static void Read(JsonNode? node)
    {
        if (node is JsonObject item)
        {
            foreach (var (_, value) in item) Read(value);
        }
        else if (node is JsonArray list)
        {
            foreach (var value in list) Read(value);
        }
        else
        {
            _ = Text(node);
        }
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
