namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>Lets everything pass: for tests of what lies behind.</summary>
public sealed class NoAdmission : IAdmission
{
    public ValueTask MutateAsync(AdmissionReviewRequest review, CancellationToken ct) => ValueTask.CompletedTask;

    public ValueTask ValidateAsync(AdmissionReviewRequest review, CancellationToken ct) => ValueTask.CompletedTask;
}
