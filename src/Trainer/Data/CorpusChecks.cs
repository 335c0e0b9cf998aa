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

    public static void LongEnough(Corpus corpus, int sequenceLength)
    {
        if (corpus.Metadata.Tokens >= sequenceLength + 1) return;
        throw Bad($"corpus {corpus.Name} has {corpus.Metadata.Tokens} tokens; one sample takes {sequenceLength + 1} (training.sequenceLength + 1)");
    }

    private static string Short(CorpusMetadata metadata) => metadata.VocabularyDigest[..Math.Min(12, metadata.VocabularyDigest.Length)];

    private static TrainerException Bad(string message) => new(WorkerExit.Data, message);
}
