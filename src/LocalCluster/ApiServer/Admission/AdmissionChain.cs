namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>Several admissions, one after the other.</summary>
public sealed class AdmissionChain(params IReadOnlyList<IAdmission> links) : IAdmission
{
    public async ValueTask MutateAsync(AdmissionReviewRequest review, CancellationToken ct)
    {
        foreach (var link in links) await link.MutateAsync(review, ct);
    }

    public async ValueTask ValidateAsync(AdmissionReviewRequest review, CancellationToken ct)
    {
        foreach (var link in links) await link.ValidateAsync(review, ct);
    }
}
