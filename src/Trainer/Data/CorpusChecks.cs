using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Data;

/// <summary>What must hold among the corpora of one job.</summary>
internal static class CorpusChecks
{
    public static void SameVocabulary(IReadOnlyList<Corpus> corpora, ModelDimensions model)
    {
        var first = corpora[0];
        foreach (var corpus in corpora)
        {
            var metadata = corpus.Metadata;
            if (metadata.VocabularyDigest != first.Metadata.VocabularyDigest)
            {
                throw Bad($"corpus {corpus.Name} was tokenised with vocabulary {Short(metadata)}, but {first.Name} with {Short(first.Metadata)}; tokenise both with the same files");
            }

            if (metadata.VocabularySize > model.VocabSize)
            {
                throw Bad($"corpus {corpus.Name} has a vocabulary of {metadata.VocabularySize} tokens, but model.vocabSize is {model.VocabSize}");
            }
        }
    }

    /// <summary>Each corpus must hold what was trained on before under its name; one without such a record may hold anything.</summary>
    /// <param name="by">Who remembers: "the plan", "the checkpoint of step 80".</param>
    /// <exception cref="TrainerException">Data: one was written anew, or the copy here is stale.</exception>
    public static void Unchanged(IEnumerable<CorpusDigest> found, IReadOnlyList<CorpusDigest>? known, string by)
    {
        foreach (var here in found)
        {
            if (known?.FirstOrDefault(k => k.Path == here.Path) is not { } before || before.Digest == here.Digest) continue;
            throw Bad($"corpus {here.Path} changed: here it has {here.Tokens} tokens and the digest {here.Digest}, in {by} {before.Tokens} and {before.Digest}; bring back the old bytes, or train on the new ones under another path");
        }
    }

    public static void LongEnough(Corpus corpus, int sequenceLength)
    {
        if (corpus.Metadata.Tokens >= sequenceLength + 1) return;
        throw Bad($"corpus {corpus.Name} has {corpus.Metadata.Tokens} tokens; one sample takes {sequenceLength + 1} (training.sequenceLength + 1)");
    }

    private static string Short(CorpusMetadata metadata) => metadata.VocabularyDigest[..Math.Min(12, metadata.VocabularyDigest.Length)];

    private static TrainerException Bad(string message) => new(WorkerExit.Data, message);
}
