using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>What stands between a decoded write and the store: first those that may change the object, then those that may only refuse it.</summary>
public interface IAdmission
{
    /// <summary>May edit <see cref="AdmissionReviewRequest.Object"/>.</summary>
    /// <exception cref="ApiException">The write is refused.</exception>
    ValueTask MutateAsync(AdmissionReviewRequest review, CancellationToken ct);

    /// <exception cref="ApiException">The write is refused.</exception>
    ValueTask ValidateAsync(AdmissionReviewRequest review, CancellationToken ct);
}

/// <summary>The kinds of write that admission tells apart.</summary>
public enum Operation { Create, Update, Delete, Connect }

/// <summary>One write under review.</summary>
/// <param name="Object">The new state; null for a deletion.</param>
/// <param name="OldObject">The present state; null for a creation.</param>
/// <param name="Options">The request's options object, as webhooks see it.</param>
public sealed record AdmissionReviewRequest(
    Operation Operation,
    ResourceKind Kind,
    string? Subresource,
    string Namespace,
    string Name,
    JsonObject? Object,
    JsonObject? OldObject,
    JsonObject Options,
    WriteRequest Request)
{
    /// <summary>The object under review; mutation may replace it.</summary>
    public JsonObject? Object { get; set; } = Object;
}
